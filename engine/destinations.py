"""What a node remembers of destinations: where calls are, who was idle for how long, who talked with whom.

All of it is in the memory of this engine. The next engine knows the live calls from their journals; the rest
begins anew.
"""

import hmac
import secrets
from collections import Counter, OrderedDict
from collections.abc import Iterator
from math import inf

from dialplan.result import Outcome
from dialplan.step import ROOM, By, Sort, StepPath
from engine.breakers import Breakers
from journal.state import CallState

MOST_REMEMBERED = 100_000


class Destinations:
    """`breakers`: of destinations that cannot be reached. Times are monotonic, in seconds."""

    def __init__(self, breakers: Breakers) -> None:
        self.breakers = breakers
        self._live: dict[str, CallState] = {}
        self._idle_since: dict[str, float] = {}
        self._remembered: OrderedDict[bytes, tuple[str, float]] = OrderedDict()
        self._key = secrets.token_bytes(32)  # so that nothing in memory is a caller's number

    def attend(self, state: CallState) -> None:
        """Follow the state of a live call."""
        self._live[state.call_id] = state

    def leave(self, call: str) -> None:
        """The call is over."""
        self._live.pop(call, None)

    def sort(self, sort: Sort, state: CallState, now: float) -> tuple[str, ...]:
        """Return those of the destinations that fit, in the order in which they are to be rung."""
        match sort.by:
            case By.IDLE:
                calls = self._calls(besides=state.call_id)
                return tuple(sorted(sort.to, key=lambda to: (calls[to] > 0, self._idle_since.get(to, -inf))))
            case By.ROOM:
                calls = self._calls(besides=state.call_id)
                return tuple(
                    to for to, most in zip(sort.to, sort.most, strict=True) if not most or calls[to] < most
                )
            case By.CALLER:
                to, until = self._remembered.get(self._name(state, sort.path), ("", 0.0))
                return (to,) if to in sort.to and now < until else ()

    def attempted(self, to: str, outcome: Outcome, now: float) -> int:
        """Remember the outcome of an attempt; TAKEN when the conversation is over.

        Return after how many attempts in a row the destination is left out from now on, else 0.
        """
        if outcome is Outcome.TAKEN:
            self._idle_since[to] = now
        return self.breakers.attempted(to, outcome, now)

    def remember(self, state: CallState, path: StepPath, until: float) -> None:
        """Remember which destination talked with this caller, unless the caller has no number."""
        if state.caller and state.connected is not None:
            name = self._name(state, path)
            self._remembered[name] = (state.legs[state.connected.leg].to, until)
            self._remembered.move_to_end(name)
            if len(self._remembered) > MOST_REMEMBERED:
                self._remembered.popitem(last=False)

    def _name(self, state: CallState, path: StepPath) -> bytes:
        return hmac.digest(self._key, f"{state.number} {path} {state.caller}".encode(), "sha256")

    def _calls(self, besides: str) -> Counter[str]:
        """Return how many calls ring or talk at each destination, or are about to."""
        live = (state for state in self._live.values() if state.call_id != besides)
        return Counter(to for state in live for to in _occupied(state))


def _occupied(state: CallState) -> Iterator[str]:
    """The destinations at which the call rings or talks, or that were found to have room for it."""
    if state.talking is not None:
        yield state.talking.to
    elif state.handed_over is not None:
        yield from state.handed_over.to
    elif state.performed and state.performed[-1].choice.startswith(ROOM):
        yield from state.performed[-1].choice.split()[1:]
