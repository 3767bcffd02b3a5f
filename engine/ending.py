"""How a call ended, from its state: what it came to, who ended it, when, and the Q.850 cause."""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from dialplan.result import Outcome, Result
from engine.line import Ended
from journal.entries import CallEnded, EndedBy, Entry, LegEnded, RecordingEnded
from journal.state import CallState

# What a caller was answered by that no destination has answered.
VOICEMAIL, MENU = "voicemail", "menu"
# Q.850 cause of an ending that no leg gave a cause for.
NORMAL_CLEARING = 16
INTERWORKING = 127  # nobody said why


class Ending(NamedTuple):
    """The fields of journal.entries.CallEnded."""

    at: datetime
    outcome: Result
    by: EndedBy
    cause: int


class Farewell(NamedTuple):
    """What the engine hung up with: what the call came to, and the Q.850 cause that says so."""

    result: Result
    cause: int


def loose_ends(state: CallState, ended: Ended) -> Iterator[Entry]:
    """Legs and recordings whose end nothing has told: they ended with the caller's leg, at the latest."""
    for leg in state.open_legs:
        outcome = Outcome.TAKEN if leg.connected else Outcome.FAILED
        yield LegEnded(state.call_id, ended.at, leg.leg_id, outcome, INTERWORKING)
    if state.recording is not None and state.recording.ended is None:
        yield RecordingEnded(state.call_id, ended.at, state.recording.audio)


def ending_of(state: CallState, farewell: Farewell | None, ended: Ended) -> CallEnded:
    """`farewell`: None where the caller left. `ended`: the caller's leg.

    The end that CEL tells counts; without it, that of ARI; without either, the last instant that is known.
    """
    return CallEnded(state.call_id, *_ending(state, farewell, ended))


def _ending(state: CallState, farewell: Farewell | None, ended: Ended) -> Ending:
    reached = _reached(state)
    left = state.left
    if left is None and ended.lost:
        return Ending(ended.at, _kept(reached), "lost", ended.cause)
    at = left.at if left else ended.at
    if reached is Result.ANSWERED:
        return Ending(at, reached, left.by if left else "caller", left.cause if left else NORMAL_CLEARING)
    if farewell is not None:
        return Ending(at, farewell.result, "engine", farewell.cause)
    if state.fell_back is not None:
        return _without_engine(state, at)
    if left is not None and left.by in ("network", "engine"):  # Asterisk stopped, or the lease ran out
        return Ending(at, reached or Result.ABANDONED, left.by, left.cause)
    return Ending(at, reached or Result.ABANDONED, "caller", NORMAL_CLEARING)


def _reached(state: CallState) -> Result | None:
    """What a call has come to that was connected, or left to the voicemail."""
    if state.connected is not None:
        return Result.ANSWERED
    if state.answered is None or (state.answered_to == MENU and not state.messages):
        return None
    return Result.VOICEMAIL if state.answered_to == VOICEMAIL or state.messages else Result.ANSWERED


def _kept(reached: Result | None) -> Result:
    """A message is there although its call is lost; a conversation's bill has to be looked at."""
    return Result.VOICEMAIL if reached is Result.VOICEMAIL else Result.LOST


def _without_engine(state: CallState, at: datetime) -> Ending:
    """At the number's fallback, which nobody took: given up by the caller, or refused; or there is none."""
    left = state.left
    if left is not None and left.by == "caller":
        return Ending(at, Result.ABANDONED, "caller", NORMAL_CLEARING)
    tried = [leg for leg in state.legs.values() if leg.began >= (state.fell_back or at) and leg.outcome]
    outcome = tried[-1].outcome if tried else Outcome.UNREACHABLE
    return Ending(at, Result(outcome or Outcome.UNREACHABLE), "engine", left.cause if left else 0)
