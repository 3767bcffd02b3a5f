"""Read a report (DSN) about a mail that a server had accepted. Pure.

Most reports follow RFC 3464; some are only prose. The content comes from strangers: it is parsed in a process
of its own (`mailer.report_reader`), because the cost of parsing is not bounded by the size.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message as Part
from email.parser import BytesParser
from email.policy import compat32
from enum import StrEnum

from mailer.answer import one_line


class ReportStatus(StrEnum):
    """What happened to the mail, according to a report."""

    FAILED = "failed"
    ARRIVED = "arrived"
    NOTHING = "nothing"  # nothing that counts: delayed, relayed, an absence notice


@dataclass(frozen=True, slots=True)
class Report:
    """`why`: the reply of the server that failed, on one line."""

    status: ReportStatus
    why: str = ""


def read_report(content: bytes, sender: str) -> Report:
    """Read a report with the envelope sender `sender`; never raises, whatever the bytes."""
    try:
        # The newer policies decode each header in full: 64 kB then cost more than 25 s instead of 1.7 s.
        mail = BytesParser(policy=compat32).parsebytes(content)
        statuses = list(_statuses(mail))
        automatic = str(mail.get("Auto-Submitted", "")).strip().lower().startswith("auto-replied")
    except Exception:  # noqa: BLE001 - hostile mail has made the parser raise many types
        statuses, automatic = [], False
    if statuses:
        return _summed(statuses)
    return Report(ReportStatus.NOTHING) if automatic else without_status(sender, "returned without a status")


def without_status(sender: str, why: str) -> Report:
    """The report of a mail without an RFC 3464 status.

    It is prose of an old server, or an absence notice. Only servers send from the empty address: that means a
    failure.
    """
    return Report(ReportStatus.FAILED, why) if sender in ("", "<>") else Report(ReportStatus.NOTHING)


def _statuses(mail: Part) -> Iterator[dict[str, str]]:
    """The per-recipient blocks of every `message/delivery-status` part."""
    for part in mail.walk():
        if part.get_content_type() == "message/delivery-status" and part.is_multipart():
            for block in part.get_payload():
                if isinstance(block, Part) and block.get("Action"):
                    yield {name.lower(): str(value) for name, value in block.items()}


def _summed(statuses: list[dict[str, str]]) -> Report:
    actions = {block["action"].strip().lower(): block for block in statuses}
    if failed := actions.get("failed"):
        why = failed.get("diagnostic-code") or failed.get("status") or "failed"
        return Report(ReportStatus.FAILED, one_line(why))
    if "delivered" in actions:
        return Report(ReportStatus.ARRIVED)
    return Report(ReportStatus.NOTHING)  # delayed, relayed or expanded: the bounce window decides
