"""A call that is not over: its line, its journal, and the CEL events of its channels."""

from collections.abc import Awaitable
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
