"""What came of a step, and what came of a call: the only words telephony has for a route."""

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple


class Outcome(StrEnum):
    """What came of one step. Nobody behind the ARI edge sees a 17 or a 486."""

    DONE = "done"
    TAKEN = "taken"
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    UNREACHABLE = "unreachable"
    REJECTED = "rejected"
    FAILED = "failed"


COUNT = "call "


class Choice(str):
    """What came of a step that chooses among ways to go on: keys that were pressed, or a count of calls."""

    __slots__ = ()

    @property
    def count(self) -> int | None:
        """Which call it is, from 1; None where it is no count."""
        return int(self.removeprefix(COUNT)) if self.startswith(COUNT) else None


def counted(count: int) -> Choice:
    """The choice of a step that counts calls: it is the `count`-th, from 1."""
    return Choice(f"{COUNT}{count}")


# What the walk receives for each step performed.
type Answer = Outcome | Choice


class Result(StrEnum):
    """What came of a whole call: the `outcome` of its call record."""

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
    """What the walk has come to so far; `final` when the route is over.

    `back`: it is not, but goes on in the menu that these steps are in.
    """

    result: Result
    final: bool = False
    back: bool = False


def final(verdict: Verdict) -> Verdict:
    return verdict._replace(final=True)


# Where a route says nothing else, nobody answered.
OPEN = Verdict(Result.NO_ANSWER)

# Of several destinations rung at once: somebody who was rung and may call back outranks a busy line.
_WEIGHT = [Outcome.NO_ANSWER, Outcome.BUSY, Outcome.REJECTED, Outcome.UNREACHABLE, Outcome.FAILED]


def together(outcomes: Iterable[Outcome]) -> Outcome:
    """What came of all destinations of one `ring`, none of which answered."""
    return min(outcomes, key=_WEIGHT.index, default=Outcome.FAILED)
