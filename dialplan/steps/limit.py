"""`limit`: how many calls may be beyond this step at once?"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from dialplan.result import Answer, Result, Verdict, final
from dialplan.route import Branch
from dialplan.step import OVER_LIMIT, WITHIN_LIMIT, Case, Facts, Plan, StepModel
from dialplan.walk import walk


class Limit(StepModel):
    """Let at most so many calls go on at once. A further one takes `full`, or without it ends as busy.

        - limit: 5
        - limit:
            calls: 5                    1 to 10,000
            of: owner                   step, or owner: the calls of all numbers of the owner together
            full: [...]                 steps of a call that is one too many; they are the rest of its route

    A call counts from this step to its end, whatever it comes to: also while it rings, talks or leaves a
    message. Calls that live through a restart of the engine go on counting. Each node counts by itself. With
    `of: owner` the calls that are beyond any such step of the owner's numbers count; each step compares them
    with its own `calls`. How many calls a destination may have: `max_calls` of the destination, in `ring`.
    """

    alone: ClassVar = "calls"
    chooses: ClassVar = True

    step: Literal["limit"] = "limit"
    calls: Annotated[int, Field(ge=1, le=10_000, examples=["5"])]
    of: Literal["step", "owner"] = "step"
    full: Branch = None

    def plan(self, facts: Facts, so_far: Verdict) -> Plan:
        answer = yield self
        if answer != OVER_LIMIT:
            return so_far
        return final((yield from walk(self.full or (), facts, Verdict(Result.BUSY))))

    def supposed(self, case: Case) -> Answer:
        return OVER_LIMIT if case.live >= self.calls else WITHIN_LIMIT

    @property
    def summary(self) -> str:
        return f"at most {self.calls} calls{' of the owner' if self.of == 'owner' else ''} at once"
