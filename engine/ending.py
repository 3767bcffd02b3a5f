"""How a call ended, from its state: what it came to, who ended it, when, and the Q.850 cause."""

from datetime import datetime
from typing import NamedTuple

from dialplan.result import Outcome, Result
from engine.line import Ended
from journal.entries import CallEnded, EndedBy
from journal.state import CallState

# Q.850 cause of an ending that no leg gave a cause for.
NORMAL_CLEARING = 16


class Ending(NamedTuple):
    """The fields of journal.entries.CallEnded."""

    at: datetime
    outcome: Result
    by: EndedBy
    cause: int


def ending_of(state: CallState, result: Result | None, ended: Ended) -> CallEnded:
    """`result`: what the engine hung up with; None where the caller left. `ended`: the caller's leg.

    The end that CEL tells counts; without it, that of ARI; without either, the last instant that is known.
    """
    return CallEnded(state.call_id, *_ending(state, result, ended))


def _ending(state: CallState, result: Result | None, ended: Ended) -> Ending:
    reached = _reached(state)
    left = state.left
    if left is None and ended.lost:
        return Ending(ended.at, reached or Result.LOST, "lost", ended.cause)
    at = left.at if left else ended.at
    if reached is Result.ANSWERED:
        return Ending(at, reached, left.by if left else "caller", left.cause if left else NORMAL_CLEARING)
    if result is not None:
        return Ending(at, result, "engine", ended.cause)
    if state.fell_back is not None:
        return _without_engine(state, at)
    if left is not None and left.by in ("network", "engine"):  # Asterisk stopped, or the lease ran out
        return Ending(at, reached or Result.ABANDONED, left.by, left.cause)
    return Ending(at, reached or Result.ABANDONED, "caller", NORMAL_CLEARING)


def _reached(state: CallState) -> Result | None:
    """What a call has come to that was connected, or left to the voicemail."""
    if state.connected is not None:
        return Result.ANSWERED
    return Result.VOICEMAIL if state.answered is not None else None


def _without_engine(state: CallState, at: datetime) -> Ending:
    """At the number's fallback, which nobody took: given up by the caller, or refused; or there is none."""
    left = state.left
    if left is not None and left.by == "caller":
        return Ending(at, Result.ABANDONED, "caller", NORMAL_CLEARING)
    tried = [leg for leg in state.legs.values() if leg.began >= (state.fell_back or at) and leg.outcome]
    outcome = tried[-1].outcome if tried else Outcome.UNREACHABLE
    return Ending(at, Result(outcome or Outcome.UNREACHABLE), "engine", left.cause if left else 0)
