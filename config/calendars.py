"""Calendars of the routing folder: calendars/NAME.ics. Each error has the line of its event."""

import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from config.errors import NOWHERE, Place
from dialplan.event_calendar import Days, EventCalendar, expand

MAX_CALENDAR_BYTES = 500_000
MOST_EVENTS = 1_000
MOST_DAYS = 50_000  # days of events, in the years that are expanded
YEARS_BEFORE, YEARS_AFTER = 1, 5
MOST_SHOWN = 20
REPEATED = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")

type Errors = list[tuple[Place, str]]


@dataclass(slots=True)
class Series:
    """The events with one UID: the first one, and changes of some of its repetitions. `line`: the first's."""

    line: int
    text: list[str] = field(default_factory=list)


def read_calendar(data: bytes, today: date | None = None) -> tuple[EventCalendar | None, Errors]:
    """Return the calendar in this file, and its errors."""
    if what := _no_calendar(data):
        return None, [(NOWHERE, what)]
    zones, series = _parts(data.decode("utf-8-sig").splitlines())
    if len(series) > MOST_EVENTS:
        return None, [(NOWHERE, f"more than {MOST_EVENTS:,} events; export a shorter period")]
    if errors := [(Place(one.line, 1), what) for one in series if (what := _objection(one))]:
        return None, errors[:MOST_SHOWN]
    today = today or datetime.now(UTC).date()
    first, last = today - timedelta(days=365 * YEARS_BEFORE), today + timedelta(days=365 * YEARS_AFTER)
    try:
        return _checked(expand(data, first, last))
    except Exception as error:  # noqa: BLE001 - whatever the libraries raise, it is the file's error
        unreadable = ((one.line, _unreadable(one, zones, first, last)) for one in series)
        errors = [(Place(line, 1), what) for line, what in unreadable if what]
        return None, errors[:MOST_SHOWN] or [(NOWHERE, f"cannot be read ({_said(error)}); export it again")]


def _no_calendar(data: bytes) -> str | None:
    """Why this is not a calendar at all."""
    if len(data) > MAX_CALENDAR_BYTES:
        return f"larger than {MAX_CALENDAR_BYTES:,} bytes; export a shorter period"
    try:
        begin = data.decode("utf-8-sig").lstrip()[:15].upper()
    except UnicodeDecodeError:
        return "is not UTF-8; export it again as iCalendar (.ics)"
    return None if begin == "BEGIN:VCALENDAR" else "is not an iCalendar file; export it again as .ics"


def _checked(days: Days) -> tuple[EventCalendar | None, Errors]:
    if sum(map(len, days.values())) > MOST_DAYS:
        return None, [(NOWHERE, f"its events last more than {MOST_DAYS:,} days in all; leave some out")]
    return EventCalendar(days), []


def _parts(lines: list[str]) -> tuple[list[str], list[Series]]:
    """Return the lines of the time zones, and the events by their UID, in order."""
    zones: list[str] = []
    by_uid: dict[str, Series] = {}
    kind, begin = "", 0
    for number, line in enumerate(lines, start=1):
        word = line.strip().upper()
        if not kind and word in ("BEGIN:VTIMEZONE", "BEGIN:VEVENT"):
            kind, begin = word.removeprefix("BEGIN:"), number
        if kind and word == f"END:{kind}":
            block = lines[begin - 1 : number]
            if kind == "VTIMEZONE":
                zones += block
            else:
                uid = next((text for text in block if text.upper().startswith("UID")), f"line {begin}")
                by_uid.setdefault(uid, Series(begin)).text += block
            kind = ""
    if kind:  # it has no end
        by_uid[f"line {begin}"] = Series(begin, [*lines[begin - 1 :]])
    return zones, list(by_uid.values())


def _objection(series: Series) -> str | None:
    """What can be seen to be wrong with these events without reading them."""
    text = "\n".join(series.text)
    if not re.search(r"^DTSTART\b", text, re.IGNORECASE | re.MULTILINE):
        return "this event has no DTSTART, when it begins; write one, or remove the event"
    if series.text[-1].strip().upper() != "END:VEVENT":
        return "this event has no END:VEVENT; the file is cut, export it again"
    frequency = re.search(r"^RRULE\b.*?FREQ=(\w+)", text, re.IGNORECASE | re.MULTILINE)
    if frequency and frequency[1].upper() not in REPEATED:
        return f"this event is repeated {frequency[1].lower()}; make it daily, weekly, monthly or yearly"
    return None


def _unreadable(series: Series, zones: list[str], first: date, last: date) -> str | None:
    """What the libraries object to in these events."""
    alone = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:callengine", *zones, *series.text, "END:VCALENDAR", ""]
    try:
        expand("\r\n".join(alone).encode(), first, last)
    except Exception as error:  # noqa: BLE001 - whatever the libraries raise, it is the event's error
        return f"this event cannot be read ({_said(error)}); correct it in the calendar, and export it again"
    return None


def _said(error: Exception) -> str:
    words = " ".join(str(error).split())[:100]
    return words if words.isprintable() and words else type(error).__name__
