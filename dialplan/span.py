"""A span of opening hours: local times of a day, and the instants they are on a date."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)
# As a regular expression of editors: `09:00-17:30`.
TIMES = "([01]?[0-9]|2[0-3]):[0-5][0-9]-(([01]?[0-9]|2[0-3]):[0-5][0-9]|24:00)"
DAY = 24 * 60


@dataclass(frozen=True, slots=True)
class Span:
    """`begins` to `ends`, minutes since midnight (`ends` may pass the next), on `days` (0 is Monday)."""

    days: frozenset[int]
    begins: int
    ends: int
    text: str

    def on(self, day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """Return the instants (UTC) at which the span of this day opens and closes."""
        return instant(day, self.begins, zone, fold=0), instant(day, self.ends, zone, fold=1)


def instant(day: date, minutes: int, zone: ZoneInfo, fold: int) -> datetime:
    """Return the instant (UTC) of a local time; if the clocks skip it, that of the next existing minute."""
    wall = datetime.combine(day, time()) + timedelta(minutes=minutes)
    while (at := wall.replace(tzinfo=zone, fold=fold).astimezone(UTC)).astimezone(zone).replace(
        tzinfo=None
    ) != wall:
        wall += MINUTE
    return at


def read_times(text: str) -> tuple[int, int]:
    """Parse `09:00-17:30` to minutes since midnight. Raises ValueError with the remedy."""
    match = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)-(?:([01]?\d|2[0-3]):([0-5]\d)|24:00)", text, re.ASCII)
    if not match:
        raise ValueError(f"`{text}` is not a time; write 09:00-17:30, and 24:00 for midnight at the end")
    begins = int(match[1]) * 60 + int(match[2])
    ends = DAY if match[3] is None else int(match[3]) * 60 + int(match[4])
    if begins == ends:
        raise ValueError(f"`{text}` begins when it ends; write 00:00-24:00 for the whole day")
    return begins, ends if ends > begins else ends + DAY
