"""What a report says became of a mail after a server had accepted it. Pure.

Most reports say what happened by RFC 3464; some are only prose. The content is a stranger's: it is read in a
process of its own (`mailer.report_reader`), for its cost is not bounded by its size.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message as Part
from email.parser import BytesParser
from email.policy import compat32
from enum import StrEnum

from mailer.answer import one_line


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


def read_report(content: bytes, sender: str) -> Report:
    """What this mail, whose envelope sender is `sender`, says about ours; any bytes will do."""
    try:
        # The parser's newer policies decode each header in full: 64 kB then cost 25 s and more, not 1.7 s.
        mail = BytesParser(policy=compat32).parsebytes(content)
        statuses = list(_statuses(mail))
        automatic = str(mail.get("Auto-Submitted", "")).strip().lower().startswith("auto-replied")
    except Exception:  # noqa: BLE001 - the parser of hostile mail has failed in many ways before
        statuses, automatic = [], False
    if statuses:
        return _summed(statuses)
    return Report(News.NOTHING) if automatic else without_status(sender, "returned without a status")


def without_status(sender: str, why: str) -> Report:
    """The report of a mail that does not say by RFC 3464 what happened.

    It is prose of an old server, or somebody's holiday. Only servers have no address: theirs mean a failure.
    """
    return Report(News.FAILED, why) if sender in ("", "<>") else Report(News.NOTHING)


def _statuses(mail: Part) -> Iterator[dict[str, str]]:
    """The recipients' blocks of every `message/delivery-status` in it."""
    for part in mail.walk():
        if part.get_content_type() == "message/delivery-status" and part.is_multipart():
            for block in part.get_payload():
                if isinstance(block, Part) and block.get("Action"):
                    yield {name.lower(): str(value) for name, value in block.items()}


def _summed(statuses: list[dict[str, str]]) -> Report:
    actions = {block["action"].strip().lower(): block for block in statuses}
    if failed := actions.get("failed"):
        why = failed.get("diagnostic-code") or failed.get("status") or "failed"
        return Report(News.FAILED, one_line(why))
    if "delivered" in actions:
        return Report(News.ARRIVED)
    return Report(News.NOTHING)  # delayed; relayed or expanded: nobody will say more, the window decides
