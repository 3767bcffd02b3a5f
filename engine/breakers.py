"""Destinations that could not be reached several times in a row are left out for a while: circuit breakers.

Each has a breaker, in the memory of this engine. It opens after `most` unreachable attempts in a row; then
calls leave the destination out, until one of them tries it again: after 30 s, 60 s, 120 s and so on, 15
minutes at most. Any other outcome than unreachable closes it.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import structlog

from dialplan.result import Outcome

log = structlog.get_logger()

FIRST_SECONDS, LONGEST_SECONDS = 30.0, 900.0
# A call that is to try the destination may never come to it: then another one does, after so long.
TRY_SECONDS = 60.0
MOST_BREAKERS = 100_000
# An owner gets one mail about a destination in so long: some come and go all day.
REPORT_SECONDS = 6 * 3600.0
# A network says 503, congested, of a telephone system that is down as well.
GONE = (Outcome.UNREACHABLE, Outcome.CONGESTED)


@dataclass(slots=True)
class Breaker:
    """`failures`: unreachable attempts in a row. `next_try`: when a call tries it again (loop time)."""

    failures: int = 0
    wait: float = FIRST_SECONDS
    next_try: float = 0.0


class Breakers:
    """The breakers of all destinations that could not be reached last time. `most`: 0 leaves nothing out."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._breakers: dict[str, Breaker] = {}
        self._open: set[str] = set()
        self._reported: dict[str, float] = {}  # when the owner was last told

    @property
    def any_open(self) -> bool:
        return bool(self._open)

    def count(self) -> int:
        """Return how many destinations are left out."""
        return len(self._open)

    def left_out(self, destinations: Iterable[str], now: float) -> tuple[str, ...]:
        """Return those that a call which comes in now leaves out, sorted. It tries those that are due."""
        return tuple(sorted(to for to in self._open.intersection(destinations) if not self._tries(to, now)))

    def reached(self, to: str) -> None:
        """The destination is there, whatever it did with the call."""
        if self._breakers.pop(to, None) is not None and to in self._open:
            self._open.discard(to)
            log.info("destination_reachable", to=to)

    def attempted(self, to: str, outcome: Outcome, now: float) -> int:
        """Count the outcome of an attempt. FAILED says nothing of the destination: it may be our network.

        Return how many failed in a row if the breaker opened by this one, else 0.
        """
        if outcome is Outcome.FAILED:
            return 0
        if outcome not in GONE:
            self.reached(to)
        elif self._most and len(self._breakers) < MOST_BREAKERS:
            return self._unreachable(to, now)
        return 0

    def may_report(self, to: str, now: float) -> bool:
        """Whether the owner may be told that this breaker opened: not again within some hours."""
        if now < self._reported.get(to, -math.inf) + REPORT_SECONDS:
            return False
        self._reported[to] = now
        if len(self._reported) > MOST_BREAKERS:
            self._reported.pop(next(iter(self._reported)))
        return True

    def _unreachable(self, to: str, now: float) -> int:
        breaker = self._breakers.setdefault(to, Breaker())
        breaker.failures += 1
        if breaker.failures < self._most:
            return 0
        opens = to not in self._open
        if opens:
            self._open.add(to)
            log.warning("destination_unreachable", to=to, attempts=breaker.failures)
        else:
            breaker.wait = min(breaker.wait * 2, LONGEST_SECONDS)
        breaker.next_try = now + breaker.wait
        return breaker.failures if opens else 0

    def _tries(self, to: str, now: float) -> bool:
        breaker = self._breakers[to]
        if now < breaker.next_try:
            return False
        breaker.next_try = now + TRY_SECONDS
        return True
