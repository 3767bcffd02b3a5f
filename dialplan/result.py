"""Outcomes of a step and results of a call: the only vocabulary between telephony and routes."""

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple


class Outcome(StrEnum):
    """The outcome of one step. Causes such as 17 and SIP statuses such as 486 are mapped in engine.causes."""

    DONE = "done"
    TAKEN = "taken"
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    UNREACHABLE = "unreachable"
    REJECTED = "rejected"
    FAILED = "failed"


class Result(StrEnum):
    """The result of a whole call: the `outcome` of its call record."""

    ANSWERED = "answered"
    VOICEMAIL = "voicemail"
    ABANDONED = "abandoned"
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    UNREACHABLE = "unreachable"
    REJECTED = "rejected"
    CLOSED = "closed"
    FAILED = "failed"
    LOST = "lost"


class Verdict(NamedTuple):
    """The result of the walk so far; `final` if the route is over."""

    result: Result
    final: bool = False


def final(verdict: Verdict) -> Verdict:
    return Verdict(verdict.result, final=True)


# The result of a route without a step that sets another.
OPEN = Verdict(Result.NO_ANSWER)

# Of several destinations that rang at once: one that rang, and may call back, outranks a busy one.
_WEIGHT = [Outcome.NO_ANSWER, Outcome.BUSY, Outcome.REJECTED, Outcome.UNREACHABLE, Outcome.FAILED]


def together(outcomes: Iterable[Outcome]) -> Outcome:
    """Return the outcome of one `ring` whose destinations all did not answer."""
    return min(outcomes, key=_WEIGHT.index, default=Outcome.FAILED)
