"""Whether somebody sets the wall clock, seen by a clock that nobody can set.

CLOCK_BOOTTIME counts on through everything: only the difference of the two tells of a step. A time service
that makes the clock run faster or slower (slewing) does so with both, and makes no difference.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

LOOK_SECONDS = 0.25
# What differs by less was another process's turn between two readings, or matters to nobody.
LEAST_NS = 20_000_000
READINGS = 3
NS_PER_US = 1000


def boottime_ns() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


@dataclass(frozen=True, slots=True)
class Step:
    """The clock was set by `seconds`, between a look at which it showed `before` and one that showed `at`."""

    before: datetime
    at: datetime
    seconds: float


class Clock:
    """The wall clock, looked at. `wall`: what it shows, in ns; `steady`: what one shows that nobody sets."""

    def __init__(
        self, wall: Callable[[], int] = time.time_ns, steady: Callable[[], int] = boottime_ns
    ) -> None:
        self._wall, self._steady = wall, steady
        self._before, self.offset = self._read()

    def look(self) -> Step | None:
        """The step since the last look, if there was one."""
        wall, offset = self._read()
        by = offset - self.offset
        if abs(by) >= LEAST_NS:
            # Read again: this process may have stood still between two readings, a step lasts.
            wall, offset = min(
                (self._read() for _ in range(READINGS)), key=lambda it: abs(it[1] - self.offset)
            )
            by = offset - self.offset
        before, self._before = self._before, wall
        if abs(by) < LEAST_NS:
            return None
        self.offset = offset
        return Step(instant(before), instant(wall), by / 1e9)

    def since(self, before: datetime, offset: int) -> Step | None:
        """The step since the clock showed `before` and was so many ns ahead of the steady one, if any."""
        by = self.offset - offset
        return Step(before, instant(self._before), by / 1e9) if abs(by) >= LEAST_NS else None

    def _read(self) -> tuple[int, int]:
        """What the clock shows, and by how much it is ahead of the steady one."""
        wall = self._wall()
        return wall, wall - self._steady()


async def watch_clock(look: Callable[[], object]) -> None:
    """Look until cancelled."""
    while True:
        look()
        await asyncio.sleep(LOOK_SECONDS)


def instant(ns: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=ns // NS_PER_US)
