"""Calendars of events, such as an owner's closing days: calendars/NAME.ics (iCalendar, RFC 5545).

Its events are expanded for some years when the file is read: no call waits for that.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)
MOST_SHOWN = 80  # characters of an event's name

type Days = Mapping[date, tuple[Event, ...]]


@dataclass(frozen=True, slots=True)
class Event:
    """One event, once. An instant without a time zone is a local time of the number."""

    begins: datetime
    ends: datetime
    name: str

    def lasts(self, now: datetime, local: datetime) -> bool:
        """Whether it lasts at this instant (aware), which is `local` (without a time zone) at the number."""
        return self.begins <= (local if self.begins.tzinfo is None else now) < self.ends


@dataclass(frozen=True, slots=True)
class EventCalendar:
    """`days`: the events that touch each date."""

    days: Days

    def event(self, now: datetime, zone: ZoneInfo) -> str | None:
        """Return the name of an event that lasts at this instant; None if there is none."""
        local = now.astimezone(zone).replace(tzinfo=None)
        for day in dict.fromkeys((local.date(), now.astimezone(UTC).date())):
            for event in self.days.get(day, ()):
                if event.lasts(now, local):
                    return event.name
        return None


def expand(data: bytes, first: date, last: date) -> Days:
    """Return the events that touch each of these dates. What the libraries raise is not caught."""
    by_day: dict[date, list[Event]] = defaultdict(list)
    for event in _events(data, first, last):
        day = max(event.begins.date(), first)
        while day <= last and datetime.combine(day, time(), event.ends.tzinfo) < event.ends:
            by_day[day].append(event)
            day += DAY
    return {day: tuple(events) for day, events in by_day.items()}


def _events(data: bytes, first: date, last: date) -> Iterator[Event]:
    from icalendar import Calendar  # noqa: PLC0415 - 0.3 s, only where there is a calendar
    from recurring_ical_events import of  # noqa: PLC0415

    # A day more at both ends: an event with a time zone may touch these dates in UTC.
    for occurrence in of(Calendar.from_ical(data)).between(first - DAY, last + 2 * DAY):
        if str(occurrence.get("STATUS", "")).upper() != "CANCELLED":
            begins, ends = _instant(occurrence.start), _instant(occurrence.end)
            yield Event(begins, ends, _name(occurrence.get("SUMMARY")))


def _instant(when: Any) -> datetime:
    if not isinstance(when, datetime):
        return datetime.combine(when, time())
    return when if when.tzinfo is None else when.astimezone(UTC)


def _name(summary: object) -> str:
    words = " ".join(str(summary or "").split())
    return "".join(filter(str.isprintable, words))[:MOST_SHOWN] or "an event"
