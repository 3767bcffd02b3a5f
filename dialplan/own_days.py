"""Days with hours of their own: half days, days on which a number is closed, holidays on which it is open."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise
from typing import Annotated

from pydantic import PlainValidator

from dialplan.model import Written
from dialplan.span import TIMES, Span, read_times

CLOSED = "closed"
LEAP_YEAR = 2024
type Yearly = tuple[int, int]  # month and day


@dataclass(frozen=True, slots=True)
class OwnDays:
    """The spans of single dates, and of days that are so every year. A date wins over its day of the year."""

    dated: Mapping[date, tuple[Span, ...]] = field(default_factory=dict)
    yearly: Mapping[Yearly, tuple[Span, ...]] = field(default_factory=dict)

    def on(self, day: date) -> tuple[Span, ...] | None:
        """Return the spans that begin on this date; None if it has no hours of its own."""
        spans = self.dated.get(day)
        return self.yearly.get((day.month, day.day)) if spans is None else spans


def read_own_days(written: object) -> OwnDays:
    """Parse days with their times. Raises ValueError with the remedy."""
    if not isinstance(written, dict):
        raise ValueError(  # noqa: TRY004 - pydantic words a TypeError for programmers
            "write days with their times, as in  {2026-12-24: 09:00-12:30, 12-31: closed}"
        )
    dated: dict[date, tuple[Span, ...]] = {}
    yearly: dict[Yearly, tuple[Span, ...]] = {}
    for text, times in written.items():
        day = _day(str(text))
        spans = _spans(str(text), times, day)
        if len(str(text)) == len("12-24"):
            yearly[day.month, day.day] = spans
        else:
            dated[day] = spans
    return OwnDays(dated, yearly)


def _day(text: str) -> date:
    if not re.fullmatch(r"(\d{4}-)?\d\d-\d\d", text, re.ASCII):
        raise ValueError(f"`{text}` is not a day; write a date, 2026-12-24, or a day of every year, 12-24")
    try:
        return date.fromisoformat(text if len(text) > len("12-24") else f"{LEAP_YEAR}-{text}")
    except ValueError as wrong:
        raise ValueError(f"there is no day {text} in the calendar") from wrong


def _spans(text: str, written: object, day: date) -> tuple[Span, ...]:
    if written == CLOSED:
        return ()
    if not isinstance(written, str) or not written.split():
        raise ValueError(f"`{text}` has no times; write them, as in  09:00-12:30 13:30-15:00, or closed")
    spans = []
    for times in written.split():
        begins, ends = read_times(times)
        spans.append(Span(frozenset({day.weekday()}), begins, ends, f"{text} {times}"))
    for earlier, later in pairwise(sorted(spans, key=lambda span: span.begins)):
        if later.begins < earlier.ends:
            raise ValueError(
                f"`{later.text}` overlaps `{earlier.text}`; let each time stand in one of them only"
            )
    return tuple(spans)


Days = Annotated[
    OwnDays,
    PlainValidator(read_own_days),
    Written(
        description="times for each day, or `closed`",
        type="object",
        propertyNames={"pattern": "^([0-9]{4}-)?[0-9]{2}-[0-9]{2}$"},
        additionalProperties={"type": "string", "pattern": f"^({CLOSED}|{TIMES}( +{TIMES})*)$"},
    ),
]
