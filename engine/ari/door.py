"""Calls that are not taken: those that the dialplan's door refused, and those in a forwarding loop.

A destination that forwards back to the service number makes a new call of each attempt, without end.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from engine.ari.arrival import Arrival
from engine.ari.live import Live
from engine.drain import Drain
from engine.metrics import REFUSED
from journal.cel import CelEvent
from journal.state import CallState
from process.rarely import Rarely

SAME_CALLER = 10
NO_LINE = {"trunk", "number"}


@dataclass(slots=True)
class Door:
    """`same_caller`: calls of one caller that may ring at one number at once. `count`: gets each reason.

    `drain`: whether new calls go to their fallback.
    """

    same_caller: int = SAME_CALLER
    count: Callable[[str], None] = lambda _why: None
    drain: Drain = field(default_factory=Drain)
    _rarely: Rarely = field(default_factory=Rarely)

    @classmethod
    def of(cls, same_caller: int, count: Callable[[str], None], drained: Path) -> Self:
        """`drained`: the file that exists while new calls go to their fallback."""
        return cls(same_caller, count, Drain(drained))

    def is_loop(self, arrival: Arrival, same_caller: Iterable[Live]) -> bool:
        """Whether this call's own destination has sent it back, as far as can be known.

        `same_caller`: the live calls of this caller.

        Forwarding preserves the caller's number, and the forwarded call still rings. A company whose
        telephones all show one number talks, and does not ring for long. A call that has ended counts until
        CEL has been read, some 0.05 s. A loop of calls without a number is not detected.
        """
        ringing = [
            live for live in same_caller if live.line.dialled == arrival.dialled and rings(live.journal.state)
        ]
        if len(ringing) < self.same_caller:
            return False
        self._report(arrival.dialled, "loop")
        return True

    def on_cel(self, event: CelEvent) -> bool:
        """Report a call that the dialplan refused; return whether there was no line for it."""
        if event.kind != "REFUSED" or (why := event.extra.get("why")) not in REFUSED:
            return False
        self._report(event.extra.get("dialled", ""), why, event.extra.get("from", ""))
        return why in NO_LINE

    def _report(self, dialled: str, why: str, trunk: str = "") -> None:
        self.count(why)
        of_carrier = {"trunk": trunk} if trunk else {}
        self._rarely.warning("call_refused", why, number=dialled, **of_carrier)


def rings(state: CallState) -> bool:
    """Whether a destination of this call rings now."""
    return state.handed_over is not None and state.connected is None
