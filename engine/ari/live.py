"""A call that is not over: its line, its journal, and what CEL says of it."""

from collections.abc import Awaitable
from contextlib import ExitStack
from dataclasses import dataclass, field

import structlog

from engine.ari.connect import dialled
from engine.ari.events import Dial, Event, Kind
from engine.ari.ledger import entries_of, rung
from engine.ari.line import AriLine
from engine.call import CallJournal
from journal.cel import CelEvent
from journal.writer import JournalClosed

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Live:
    """`ears`: what listens for it, until it is closed."""

    line: AriLine
    journal: CallJournal
    ears: ExitStack = field(default_factory=ExitStack)

    def listen(self) -> None:
        """Hear of the caller's channel."""
        dispatcher = self.line.exchange.dispatcher
        self.ears.enter_context(dispatcher.listen((Kind.CHANNEL, self.line.id), self.see))

    def see(self, event: Event) -> None:
        """Take in an event of the caller's channel. That a leg rings is noted at once: Asterisk says it once,
        to the engine that is there."""
        self.line.see(event)
        if isinstance(event, Dial):
            for entry in rung(self.journal.state, self.line.rang):
                self.journal.note(entry)

    def take(self, event: CelEvent) -> Awaitable[None] | None:
        """Note what this event amounts to, if anything; what is returned is done when that is on the disk."""
        written: Awaitable[None] | None = None
        try:
            if event.kind == "RING":
                self.line.dialling = dialled(event.extra.get("to", ""))
            for entry in entries_of(event, self.journal.state, self.line.rang, self.line.dialling):
                written = self.journal.note(entry)
        except JournalClosed:  # the next engine reads it again
            raise
        except Exception:  # nobody would read on behind this line
            log.exception("cel_not_understood", kind=event.kind, call=self.line.call_id)
        if event.kind == "LINKEDID_END":
            self.line.told_over(event.at)
        return written
