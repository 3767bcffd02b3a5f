"""Detect steps of the wall clock, by comparing it with CLOCK_BOOTTIME, which cannot be set.

A step changes the difference between the two clocks. A time service that slews makes both run faster or
slower, so the difference stays the same.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

LOOK_SECONDS = 0.25
# Smaller differences are noise: another process ran between the two readings.
LEAST_NS = 20_000_000
READINGS = 3
NS_PER_US = 1000


def boottime_ns() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


@dataclass(frozen=True, slots=True)
class Step:
    """The clock was set by `seconds` between two looks: the first showed `before`, the second `at`."""

    before: datetime
    at: datetime
    seconds: float


class Clock:
    """Watches the wall clock. `wall` returns its ns; `steady` those of a clock that cannot be set."""

    def __init__(
        self, wall: Callable[[], int] = time.time_ns, steady: Callable[[], int] = boottime_ns
    ) -> None:
        self._wall, self._steady = wall, steady
        self._before, self.offset = self._read()

    def look(self) -> Step | None:
        """Return the step since the last look, None if there was none."""
        wall, offset = self._read()
        by = offset - self.offset
        if abs(by) >= LEAST_NS:
            # Read again: this process may have been suspended between the readings, but a step lasts.
            wall, offset = min(
                (self._read() for _ in range(READINGS)), key=lambda reading: abs(reading[1] - self.offset)
            )
            by = offset - self.offset
        before, self._before = self._before, wall
        if abs(by) < LEAST_NS:
            return None
        self.offset = offset
        return Step(instant(before), instant(wall), by / 1e9)

    def since(self, before: datetime, offset: int) -> Step | None:
        """The step since the clock showed `before` and was `offset` ns ahead of the steady one, or None."""
        by = self.offset - offset
        return Step(before, instant(self._before), by / 1e9) if abs(by) >= LEAST_NS else None

    def _read(self) -> tuple[int, int]:
        """The clock's ns, and by how many it is ahead of the steady clock."""
        wall = self._wall()
        return wall, wall - self._steady()


async def watch_clock(look: Callable[[], object]) -> None:
    """Call `look` repeatedly until cancelled."""
    while True:
        look()
        await asyncio.sleep(LOOK_SECONDS)


def instant(ns: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=ns // NS_PER_US)
