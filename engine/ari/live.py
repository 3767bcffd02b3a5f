"""Calls that are not over: line, journal, and the CEL events of their channels."""

from collections.abc import Awaitable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

import structlog

from engine.ari.connect import destinations
from engine.ari.events import Dial, Event, Kind
from engine.ari.ledger import entries_of, new_ringing
from engine.ari.line import AriLine
from engine.call_journal import CallJournal
from journal.cel import CelEvent
from journal.entries import FellBack
from journal.writer import JournalClosed

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Live:
    """`listening`: its subscriptions to events, until it is closed."""

    line: AriLine
    journal: CallJournal
    listening: ExitStack = field(default_factory=ExitStack)

    def listen(self) -> None:
        """Subscribe to the events of the caller's channel."""
        dispatcher = self.line.exchange.dispatcher
        self.listening.enter_context(dispatcher.listen((Kind.CHANNEL, self.line.id), self.on_event))

    def on_event(self, event: Event) -> None:
        """Apply an event of the caller's channel.

        Ringing of a leg is journalled at once: Asterisk reports it once, to the engine that is there.
        """
        self.line.on_event(event)
        if isinstance(event, Dial):
            for entry in new_ringing(self.journal.state, self.line.hand_over.rang):
                self.journal.append(entry)

    def on_cel(self, event: CelEvent) -> Awaitable[None] | None:
        """Note the entries of this CEL event, if any; await the result to wait until they are on the disk."""
        written: Awaitable[None] | None = None
        hand_over = self.line.hand_over
        try:
            if event.kind == "RING":
                hand_over.destinations = self._destinations(event)
            for entry in entries_of(event, self.journal.state, hand_over.rang, hand_over.destinations):
                written = self.journal.append(entry)
        except JournalClosed:  # the next engine reads the event again
            raise
        except Exception:  # otherwise no event after this one would be read
            log.exception("cel_not_understood", kind=event.kind, call=self.line.call_id)
        if event.kind == "LINKEDID_END":
            self.line.on_cel_end(event.at)
        return written

    def _destinations(self, ring: CelEvent) -> tuple[tuple[str, str], ...]:
        """Endpoint and destination of each leg of a ring, which may be over: another may be handed over."""
        state, number = self.journal.state, int(ring.extra.get("ring", 0))
        handed_over = 0 < number <= len(state.handovers)
        known = state.handovers[number - 1].to if handed_over else state.dialled
        return destinations(ring.extra.get("to", ""), known, self.line.exchange.domains)

    def journal_unattended_ring(self, event: CelEvent) -> None:
        """Journal a ring that no engine handed over: one died before that entry was on the disk."""
        ring = destinations(event.extra.get("to", ""), domains=self.line.exchange.domains)
        to = tuple(number for _, number in ring)
        self.journal.append(FellBack(self.line.call_id, event.at, to))


class Lives:
    """By the id of the caller's channel. Callers without a number are not found by it."""

    def __init__(self) -> None:
        self._by_channel: dict[str, Live] = {}
        self._by_caller: dict[str, dict[str, Live]] = {}

    def __len__(self) -> int:
        return len(self._by_channel)

    def __iter__(self) -> Iterator[Live]:
        """A call may be added or removed meanwhile."""
        return iter(list(self._by_channel.values()))

    @property
    def channels(self) -> frozenset[str]:
        return frozenset(self._by_channel)

    def get(self, channel: str) -> Live | None:
        return self._by_channel.get(channel)

    def of_caller(self, number: str) -> tuple[Live, ...]:
        """Return the calls of this caller."""
        return tuple(self._by_caller.get(number, {}).values())

    def add(self, live: Live) -> None:
        """Add a call; again, once its caller is known. It replaces another call with its channel's id."""
        if (before := self._by_channel.get(live.line.id)) is not None:
            self.remove(before)
        self._by_channel[live.line.id] = live
        if caller := live.journal.state.caller:
            self._by_caller.setdefault(caller, {})[live.line.id] = live

    def remove(self, live: Live) -> None:
        """Remove a call, if it is one of these: another one may have its channel's id."""
        if self._by_channel.get(live.line.id) is not live:
            return
        del self._by_channel[live.line.id]
        caller = live.journal.state.caller
        calls = self._by_caller.get(caller, {})
        calls.pop(live.line.id, None)
        if not calls:
            self._by_caller.pop(caller, None)
