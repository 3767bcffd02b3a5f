"""`rate`: how often may one caller call?"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from dialplan.result import Answer, Result, Verdict, final
from dialplan.route import Branch
from dialplan.step import OVER_LIMIT, WITHIN_LIMIT, Case, Facts, Plan, StepModel, Turn
from dialplan.walk import walk


class Rate(StepModel):
    """Let one caller come here so often in some minutes. A further call takes `full`, or ends as busy.

        - rate: 5                       in 10 minutes
        - rate:
            calls: 5                    1 to 1,000
            minutes: 10                 1 to 1,440
            full: [...]                 steps of a call that is one too many; they are the rest of its route

    A call that was one too many does not count. A caller without a number cannot be recognised, and goes on.
    Each number counts by itself, and each node. A restart of the engine forgets all callers.
    """

    alone: ClassVar = "calls"
    chooses: ClassVar = True

    step: Literal["rate"] = "rate"
    calls: Annotated[int, Field(ge=1, le=1000, examples=["5"])]
    minutes: Annotated[int, Field(ge=1, le=1440)] = 10
    full: Branch = None

    def plan(self, facts: Facts, so_far: Verdict) -> Plan:
        if facts.caller.number is None:
            yield Turn(self.step, "not counted: the caller has no number")
            return so_far
        answer = yield self
        if answer != OVER_LIMIT:
            return so_far
        return final((yield from walk(self.full or (), facts, Verdict(Result.BUSY))))

    def supposed(self, case: Case) -> Answer:
        return OVER_LIMIT if case.nth > self.calls else WITHIN_LIMIT

    @property
    def summary(self) -> str:
        return f"at most {self.calls} calls of one caller in {self.minutes} min"
