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
    CONGESTED = "congested"
    REJECTED = "rejected"
    FAILED = "failed"

    @property
    def result(self) -> "Result":
        """The result of a call of which nothing else came. Raises ValueError: DONE and TAKEN."""
        return Result.UNREACHABLE if self is Outcome.CONGESTED else Result(self)


COUNT = "call "


class Choice(str):
    """The answer of a step that chooses how the route goes on: keys, a count of calls, a limit."""

    __slots__ = ()

    @property
    def number(self) -> int | None:
        """The number of the call, from 1; None if the choice is not a count."""
        return int(self.removeprefix(COUNT)) if self.startswith(COUNT) else None


def counted(count: int) -> Choice:
    """Return the choice of a step that counts calls, for the `count`-th call, from 1."""
    return Choice(f"{COUNT}{count}")


# The walk receives one for each step performed.
type Answer = Outcome | Choice


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
    """The result of the walk so far; `final` if the route is over.

    `back`: it is not over, but goes on in the menu that these steps are in.
    """

    result: Result
    final: bool = False
    back: bool = False


def final(verdict: Verdict) -> Verdict:
    return verdict._replace(final=True)


# The result of a route without a step that sets another.
OPEN = Verdict(Result.NO_ANSWER)

# Of several destinations that rang at once: one that rang, and may call back, outranks a busy one.
_WEIGHT = [
    Outcome.NO_ANSWER,
    Outcome.BUSY,
    Outcome.REJECTED,
    Outcome.CONGESTED,
    Outcome.UNREACHABLE,
    Outcome.FAILED,
]


def together(outcomes: Iterable[Outcome]) -> Outcome:
    """Return the outcome of one `ring` whose destinations all did not answer."""
    return min(outcomes, key=_WEIGHT.index, default=Outcome.FAILED)
