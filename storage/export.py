"""Export of call records: cells for a spreadsheet, objects for a program.

No spreadsheet reads a cell as a formula (docs/decisions/004-export.md): a text that does not begin with an
ASCII letter or digit gets an apostrophe before it, as OWASP's ASVS 1.2.10 requires, so `+3270012345` is
`'+3270012345`. A program reads JSON, or removes one leading apostrophe.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from storage.records import CallRecord, LegRecord

COLUMNS = (
    "call_id",
    "number",
    "owner",
    "caller",
    "withheld",
    "began",
    "answered",
    "ended",
    "ring_seconds",
    "talk_seconds",
    "delivered_to",
    "outcome",
    "ended_by",
    "cause",
    "recording_id",
    "message_id",
    "node",
)

LEG_COLUMNS = ("leg_id", "to", "began", "ringing", "answered", "connected", "ended", "outcome", "cause")

Value = str | bool | int | datetime | timedelta | None


def as_cells(record: CallRecord) -> list[str]:
    """The record in the order of COLUMNS."""
    return [as_cell(value_of(record, column)) for column in COLUMNS]


def as_object(record: CallRecord) -> dict[str, Any]:
    """The columns of the table, and also: when a destination was `connected`, the `notice` of the recording
    (null where nothing is recorded), the `legs`, `clock` (null unless the clock was set during the call), and
    `trunk`, the carrier that the call came from.

    A missing text is "", a missing instant, cause or SIP status is null.
    """
    columns = {column: as_json(value_of(record, column)) for column in COLUMNS}
    return columns | {
        "connected": as_json(record.connected),
        "notice": record.notice or None,
        "legs": [leg_as_object(leg) for leg in record.legs],
        "clock": record.clock or None,
        "trunk": record.trunk,
    }


def leg_as_object(leg: LegRecord) -> dict[str, Any]:
    columns = {column: as_json(getattr(leg, column)) for column in LEG_COLUMNS}
    more = {"sip": leg.sip or None, "trunk": leg.trunk, "confirmation": leg.confirmation or None}
    return columns | more


def value_of(record: CallRecord, column: str) -> Value:
    value: Value = getattr(record, column.removesuffix("_seconds"))
    return value


def as_cell(value: Value) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case timedelta():
            return f"{value.total_seconds():.3f}"
        case datetime():
            return in_utc(value)
        case _:
            return harmless(str(value))


def as_json(value: Value) -> str | bool | int | float | None:
    match value:
        case timedelta():
            return round(value.total_seconds(), 3)
        case datetime():
            return in_utc(value)
        case _:
            return value


def in_utc(instant: datetime) -> str:
    """`2026-11-24T10:00:00.123Z`."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def harmless(text: str) -> str:
    """The text, so that no spreadsheet reads it as a formula.

    Where `;` or a tab separates cells (Excel in much of Europe), one within the text would begin a new cell.
    """
    printable = "".join(char if char.isprintable() and char != ";" else " " for char in text)
    is_plain = not printable or (printable[0].isascii() and printable[0].isalnum())
    return printable if is_plain else f"'{printable}"
