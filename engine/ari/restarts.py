"""Restarts of Asterisk: a call ends at the last sign of life of its own Asterisk.

Engines notice them. Two may follow each other before an engine lives for long enough to end the calls of the
first, or while no engine is there at all: then CEL shows that channels are counted anew.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

MOST = 8  # the calls of earlier ones have ended
NUMBER = re.compile(r".*[0-9]\.([0-9]{1,10})", re.ASCII)
APART = timedelta(seconds=0.5)  # lines of CEL that are not in the order of their channels are closer


@dataclass(frozen=True, slots=True)
class Restart:
    """`since`: when an Asterisk began. `known`: the last sign of life of the one before it."""

    since: datetime
    known: datetime


class Restarts:
    """In their order."""

    def __init__(self) -> None:
        self.all: tuple[Restart, ...] = ()
        self._number, self._began = -1, datetime.min.replace(tzinfo=UTC)  # of the last channel

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

    def has_channel(self, channel_id: str, at: datetime) -> None:
        """There is a channel that began then."""
        number = number_of(channel_id)
        if number is not None and at > self._began:
            self._number, self._began = number, at

    def began(self, channel_id: str, at: datetime) -> None:
        """A channel begins. If its number is not higher than the last one, it is of another Asterisk."""
        number = number_of(channel_id)
        if number is not None and number <= self._number and at - self._began > APART:
            self._insert(self._began, at)
        self.has_channel(channel_id, at)

    def _insert(self, last: datetime, since: datetime) -> None:
        """Another Asterisk began between these instants, and has ended as well; perhaps that is known."""
        ended = self.after(since)
        if ended is not None and not any(last < it.since <= since for it in self.all):
            unnoticed = Restart(since, ended.known)
            self.all = tuple(sorted((*self.all, unnoticed), key=lambda it: it.since))[-MOST:]

    def heard(self, at: datetime) -> None:
        """There is a sign of life of that instant."""
        ended = self.after(at)
        if ended is not None and at > ended.known:
            self.all = tuple(replace(it, known=at) if it is ended else it for it in self.all)

    def clock_stepped(self, by: timedelta) -> None:
        """All instants from now on are by the clock as it was set."""
        self.all = tuple(replace(it, since=it.since + by) for it in self.all)
        if self._number >= 0:
            self._began += by


def number_of(channel_id: str) -> int | None:
    """Asterisk numbers its channels from 0 on: <systemname>-<epoch>.<number>. None if the engine named it."""
    named = NUMBER.fullmatch(channel_id)
    return int(named[1]) if named else None
