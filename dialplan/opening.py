"""Opening hours: a week of spans in local time, and whether an instant lies in one of them.

A span belongs to the day on which it begins: a holiday on that day cancels all of it, including the part
after midnight; a holiday on the next day does not. On the two nights when the clocks change, a time that does
not exist is the next minute that does; of a time that exists twice, the first opens and the last closes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import PlainValidator

from dialplan.calendar import Calendar
from dialplan.model import Written
from dialplan.own_days import OwnDays
from dialplan.span import DAY, TIMES, Span, read_times

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
WEEK = 7 * DAY
NO_OWN_DAYS = OwnDays()
LOOK_AHEAD = 60  # days in which the next opening is searched


@dataclass(frozen=True, slots=True)
class Moment:
    """Whether it is open at one instant. `holiday`: the name of one that closes; `why`: for people."""

    open: bool
    why: str
    holiday: str | None = None


@dataclass(frozen=True, slots=True)
class OpeningHours:
    """The spans of a week."""

    spans: tuple[Span, ...]

    def at(
        self, now: datetime, zone: ZoneInfo, calendar: Calendar, own_days: OwnDays = NO_OWN_DAYS
    ) -> Moment:
        """Return whether it is open at this instant (aware), and why: span, holiday or next opening.

        On one of `own_days` neither the week nor the calendar counts.
        """
        local = now.astimezone(zone)
        week = _Week(self, zone, calendar, own_days)
        holiday = week.holiday(local.date())
        for day in (local.date(), local.date() - timedelta(days=1)):
            if span := week.covering(day, now):
                cancelled = week.holiday(day)
                if cancelled is None:
                    return Moment(open=True, why=f"open: {_spoken(local)} is in {span.text}")
                holiday = holiday or cancelled
        word = f"holiday: {holiday}" if holiday else f"closed: {_spoken(local)}"
        if own_days.on(local.date()) is not None:
            word += ", on a day with hours of its own"
        return Moment(open=False, why=f"{word}; {week.next_opening(now)}", holiday=holiday)


@dataclass(frozen=True, slots=True)
class _Week:
    """Opening hours where and when they hold."""

    hours: OpeningHours
    zone: ZoneInfo
    calendar: Calendar
    own_days: OwnDays

    def holiday(self, day: date) -> str | None:
        """The holiday that closes this day; a day with hours of its own is none."""
        return self.calendar.name(day) if self.own_days.on(day) is None else None

    def spans(self, day: date) -> Sequence[Span]:
        """Those that begin on this day, holiday or not."""
        own = self.own_days.on(day)
        return [span for span in self.hours.spans if day.weekday() in span.days] if own is None else own

    def covering(self, day: date, now: datetime) -> Span | None:
        for span in self.spans(day):
            opens, closes = span.on(day, self.zone)
            if opens <= now < closes:
                return span
        return None

    def next_opening(self, now: datetime) -> str:
        today = now.astimezone(self.zone).date()
        for day in (today + timedelta(days=ahead) for ahead in range(LOOK_AHEAD)):
            if self.holiday(day) is None:
                openings = (span.on(day, self.zone)[0] for span in self.spans(day))
                if opening := min((opening for opening in openings if opening > now), default=None):
                    return f"opens {_spoken(opening.astimezone(self.zone), with_date=True)}"
        return f"opens on none of the next {LOOK_AHEAD} days"


def read_opening(written: object) -> OpeningHours:
    """Parse opening hours, one line or a list of lines. Raises ValueError with the remedy."""
    lines = [written] if isinstance(written, str) else written
    if not isinstance(lines, list) or not lines or not all(isinstance(line, str) for line in lines):
        raise ValueError(
            "write days and times, as in  mon-fri 09:00-12:30 13:30-17:30, or a list of such lines"
        )
    spans = tuple(span for line in lines for span in _spans(line))
    _check_overlap(spans)
    return OpeningHours(spans)


def _spans(line: str) -> Iterator[Span]:
    days, _, rest = line.strip().partition(" ")
    times = rest.split()
    if not times:
        raise ValueError(f"`{line}` has no times; write them after the days: mon-fri 09:00-17:30")
    for text in times:
        begins, ends = read_times(text)
        yield Span(frozenset(_days(days)), begins, ends, f"{days} {text}")


def _days(text: str) -> Iterator[int]:
    """`mon-fri` -> 0 1 2 3 4; `fri-mon` passes the end of the week."""
    for part in ["mon-sun"] if text == "daily" else text.split(","):
        first, dash, last = part.partition("-")
        if first not in DAYS or (dash and last not in DAYS):
            raise ValueError(
                f"`{part}` is not a day; write mon, tue, wed, thu, fri, sat, sun, mon-fri or daily"
            )
        begin = DAYS.index(first)
        yield from ((begin + n) % 7 for n in range((DAYS.index(last or first) - begin) % 7 + 1))


def _check_overlap(spans: tuple[Span, ...]) -> None:
    """Refuse overlaps: `fri 09:00-16:00` beside `mon-fri 09:00-17:00` would not shorten the friday."""
    week = sorted(
        (day * DAY + span.begins, day * DAY + span.ends, span.text) for span in spans for day in span.days
    )
    week.append((week[0][0] + WEEK, week[0][1] + WEEK, week[0][2]))
    for (_, ends, earlier), (begins, _, later) in pairwise(week):
        if begins < ends:
            raise ValueError(f"`{later}` overlaps `{earlier}`; let each time stand in one line only")


def _spoken(local: datetime, with_date: bool = False) -> str:
    """`mon 09:00`, or `mon 2026-11-23 09:00`."""
    return (
        f"{DAYS[local.weekday()]} {local:%Y-%m-%d %H:%M}"
        if with_date
        else f"{DAYS[local.weekday()]} {local:%H:%M}"
    )


_ONE_DAY = f"({'|'.join(DAYS)})(-({'|'.join(DAYS)}))?"
_LINE = {"type": "string", "pattern": f"^ *(daily|{_ONE_DAY}(,{_ONE_DAY})*)( +{TIMES})+ *$"}
Opening = Annotated[
    OpeningHours,
    PlainValidator(read_opening),
    Written(
        description="days and times, or a list of them",
        anyOf=[_LINE, {"type": "array", "items": _LINE, "minItems": 1}],
    ),
]
