"""What comes back: reports of what became of a mail after somebody had accepted it. Pure.

Every mail has a return address of its own, `vm+<message>=<recipient's digest>@domain`, so that a report need
not say of itself what it is about. Most do say what happened, by RFC 3464; some are only prose.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message as Part
from email.parser import BytesParser
from email.policy import default
from enum import StrEnum
from typing import NamedTuple

from journal.ids import MESSAGE
from mailer.answer import one_line


class Returned(NamedTuple):
    """What a return address stands for: a message, and eight digits for one of its recipients."""

    message_id: str
    digest: str


class News(StrEnum):
    """What a report says."""

    FAILED = "failed"
    ARRIVED = "arrived"
    NOTHING = "nothing"  # that counts: delayed, on holiday, passed on


@dataclass(frozen=True, slots=True)
class Report:
    """`why`: the words of the server that failed, one line."""

    news: News
    why: str = ""


def digest(recipient: str) -> str:
    return hashlib.sha256(recipient.encode()).hexdigest()[:8]


def return_address(message_id: str, recipient: str, domain: str) -> str:
    """Where reports about this mail are to go; its local part has at most 55 of 64 characters."""
    return f"vm+{message_id}={digest(recipient)}@{domain}"


def returned(address: str) -> Returned | None:
    """What a report to this address is about; None if the address is none of ours."""
    found = re.fullmatch(rf"vm\+({MESSAGE})=([0-9a-f]{{8}})@[^@\s]+", address.lower(), re.ASCII)
    return Returned(found[1], found[2]) if found else None


def read_report(content: bytes, sender: str) -> Report:
    """What this mail, whose envelope sender is `sender`, says about ours; any bytes will do."""
    try:
        mail = BytesParser(policy=default).parsebytes(content)
        told = list(_statuses(mail))
        automatic = str(mail.get("Auto-Submitted", "")).lower().startswith("auto-replied")
    except Exception:  # noqa: BLE001 - the parser of hostile mail has failed in many ways before
        told, automatic = [], False
    if told:
        return _summed(told)
    # No report by RFC 3464: prose of an old server, or somebody's holiday. Only servers have no address.
    if sender in ("", "<>") and not automatic:
        return Report(News.FAILED, "returned without a status")
    return Report(News.NOTHING)


def _statuses(mail: Part) -> Iterator[dict[str, str]]:
    """The recipients' blocks of every `message/delivery-status` in it."""
    for part in mail.walk():
        if part.get_content_type() == "message/delivery-status" and part.is_multipart():
            for block in part.get_payload():
                if isinstance(block, Part) and block.get("Action"):
                    yield {name.lower(): str(value) for name, value in block.items()}


def _summed(told: list[dict[str, str]]) -> Report:
    actions = {block["action"].strip().lower(): block for block in told}
    if failed := actions.get("failed"):
        why = failed.get("diagnostic-code") or failed.get("status") or "failed"
        return Report(News.FAILED, one_line(why))
    if "delivered" in actions:
        return Report(News.ARRIVED)
    return Report(News.NOTHING)  # delayed; relayed or expanded: nobody will say more, the window decides
