"""How a call ended, from its state: the result, who ended it, when, and the Q.850 cause."""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from dialplan.result import Outcome, Result
from engine.causes import Cause
from engine.line import Ended
from journal.entries import BY_ENGINE, CallEnded, EndedBy, Entry, LegEnded, RecordingEnded
from journal.state import CallState

# The journal's names for what answered the caller, if no destination did.
VOICEMAIL, MENU = "voicemail", "menu"


class Ending(NamedTuple):
    """The fields of journal.entries.CallEnded."""

    at: datetime
    outcome: Result
    by: EndedBy
    cause: int


class Farewell(NamedTuple):
    """How the engine ended the call: with this result, and the Q.850 cause for it."""

    result: Result
    cause: int


def loose_ends(state: CallState, ended: Ended) -> Iterator[Entry]:
    """End legs and recordings whose end was not reported: at the latest when the caller's leg ended."""
    for leg in state.open_legs:
        outcome = Outcome.TAKEN if leg.connected else Outcome.FAILED
        yield LegEnded(state.call_id, ended.at, leg.leg_id, outcome, Cause.INTERWORKING)
    if state.recording is not None and state.recording.ended is None:
        yield RecordingEnded(state.call_id, ended.at, state.recording.audio)


def ending_of(state: CallState, farewell: Farewell | None, ended: Ended) -> CallEnded:
    """Return the last entry of the call. `farewell`: None if the caller left. `ended`: the caller's leg.

    The end that CEL reports counts; without it, that of ARI; without either, the last known instant.
    """
    return CallEnded(state.call_id, *_ending(state, farewell, ended))


def _ending(state: CallState, farewell: Farewell | None, ended: Ended) -> Ending:
    reached = _reached(state)
    left = state.left
    if left is None and ended.lost:
        return Ending(ended.at, _result_of_lost(reached), "lost", ended.cause)
    at = left.at if left else ended.at
    if reached is Result.ANSWERED:
        return Ending(at, reached, left.by if left else "caller", left.cause if left else Cause.NORMAL)
    if farewell is not None:
        return Ending(at, farewell.result, "engine", farewell.cause)
    if state.fell_back is not None:
        return _without_engine(state, at)
    if left is not None and left.by in ("network", "engine"):  # Asterisk stopped, or the lease ran out
        return Ending(at, reached or Result.ABANDONED, left.by, left.cause)
    return Ending(at, reached or Result.ABANDONED, "caller", Cause.NORMAL)


def _reached(state: CallState) -> Result | None:
    """Return the result of a call that was connected, or answered by the voicemail."""
    if state.connected is not None:
        return Result.ANSWERED
    if state.answered is None or (state.answered_to in (MENU, BY_ENGINE) and not state.messages):
        return None
    return Result.VOICEMAIL if state.answered_to == VOICEMAIL or state.messages else Result.ANSWERED


def _result_of_lost(reached: Result | None) -> Result:
    """A lost call may have left a message. The bill of a lost conversation needs a person's attention."""
    return Result.VOICEMAIL if reached is Result.VOICEMAIL else Result.LOST


def _without_engine(state: CallState, at: datetime) -> Ending:
    """The end at a fallback that nobody took: the caller left, it was refused, or there is none."""
    left = state.left
    if left is not None and left.by == "caller":
        return Ending(at, Result.ABANDONED, "caller", Cause.NORMAL)
    tried = [leg for leg in state.legs.values() if leg.began >= (state.fell_back or at) and leg.outcome]
    outcome = tried[-1].outcome if tried else Outcome.UNREACHABLE
    return Ending(at, (outcome or Outcome.UNREACHABLE).result, "engine", left.cause if left else 0)
