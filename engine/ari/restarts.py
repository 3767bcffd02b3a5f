"""Restarts of Asterisk that engines have noticed: a call ends at the last sign of life of its own Asterisk.

Two may follow each other before an engine lives for long enough to end the calls of the first.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

MOST = 8  # the calls of earlier ones have ended


@dataclass(frozen=True, slots=True)
class Restart:
    """`since`: when an Asterisk began. `known`: the last sign of life of the one before it."""

    since: datetime
    known: datetime


class Restarts:
    """In their order."""

    def __init__(self) -> None:
        self.all: tuple[Restart, ...] = ()

    @property
    def since(self) -> datetime | None:
        """When the present Asterisk began; None if no other is known."""
        return self.all[-1].since if self.all else None

    def remember(self, earlier: Sequence[Restart]) -> None:
        """Those that an earlier engine noticed. Later ones, of this engine, stay."""
        if not self.all:
            self.all = tuple(earlier)

    def add(self, since: datetime, known: datetime) -> None:
        """Another Asterisk began then. Earlier ones in its future began before the clock was set back."""
        earlier = [it for it in self.all if it.since < since]
        self.all = (*earlier, Restart(since, min(known, since)))[-MOST:]

    def after(self, at: datetime) -> Restart | None:
        """The restart that ended the Asterisk of that instant; None: it is the present one."""
        return next((it for it in self.all if at < it.since), None)

    def heard(self, at: datetime) -> None:
        """There is a sign of life of that instant."""
        ended = self.after(at)
        if ended is not None and at > ended.known:
            self.all = tuple(replace(it, known=at) if it is ended else it for it in self.all)

    def clock_stepped(self, by: timedelta) -> None:
        """All instants from now on are by the clock as it was set."""
        self.all = tuple(replace(it, since=it.since + by) for it in self.all)
