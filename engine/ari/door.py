"""What is not taken at all: calls that the dialplan's door has refused, and those that go round.

A destination that forwards back to the service number makes a new call of each attempt, without end.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from engine.ari.arrival import Arrival
from engine.ari.live import Live
from engine.metrics import REFUSED
from journal.cel import CelEvent
from journal.state import CallState
from process.rarely import Rarely

SAME_CALLER = 10


@dataclass(slots=True)
class Door:
    """`same_caller`: calls of one caller that may ring at one number at once. `count`: told each reason."""

    same_caller: int = SAME_CALLER
    count: Callable[[str], None] = lambda _why: None
    _rarely: Rarely = field(default_factory=Rarely)

    def goes_round(self, came: Arrival, lives: Iterable[Live]) -> bool:
        """Is this a call that its own destination has sent back, as far as can be told?

        Forwarding keeps the caller's number, and the call that was forwarded still rings. A company whose
        telephones all show one number talks, and does not ring for long. Who shows no number cannot be told.
        """
        caller = came.caller.number
        if not caller:
            return False
        ringing = [
            live
            for live in lives
            if live.journal.state.caller == caller
            and live.line.dialled == came.dialled
            and rings(live.journal.state)
        ]
        if len(ringing) < self.same_caller:
            return False
        self._tell(came.dialled, "loop")
        return True

    def see(self, event: CelEvent) -> None:
        """Tell of a call that Asterisk has refused by itself."""
        if event.kind == "REFUSED" and (why := event.extra.get("why")) in REFUSED:
            self._tell(event.extra.get("dialled", ""), why)

    def _tell(self, dialled: str, why: str) -> None:
        self.count(why)
        self._rarely.warning("call_refused", why, number=dialled)


def rings(state: CallState) -> bool:
    """Is a destination of this call being rung now?"""
    return state.handed_over is not None and state.connected is None
