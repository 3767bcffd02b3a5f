"""`share`: divide the calls among branches, by percentages."""

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from dialplan.model import Model, at_least_one
from dialplan.result import Verdict, final
from dialplan.route import Branch
from dialplan.spread import WHOLE, check_percents, spread
from dialplan.step import Draw, Facts, Plan, StepModel, Turn, drawn
from dialplan.walk import walk


class Part(Model):
    """A part of the calls: `percent` of them, and the steps they take; without `then` the route goes on."""

    percent: Annotated[int, Field(ge=1, le=100, examples=["50"])]
    then: Branch = None

    @classmethod
    def noun(cls) -> str:
        return "a part of the calls"


def _check_parts(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    check_percents([part.percent for part in at_least_one(parts)])
    return parts


class Share(StepModel):
    """Divide the calls that come here among branches. Of each 100 calls, each branch gets exactly its part.

        - share:
            - {percent: 70, then: [...]}        whole numbers from 1; together they are 100
            - {percent: 30}                     these calls go on with the next step

    A branch, once taken, is the rest of the route. The calls are counted at this step, over restarts, on each
    node by itself; a step that was moved within its file counts from the beginning.
    """

    alone: ClassVar = "parts"

    step: Literal["share"] = "share"
    parts: Annotated[
        tuple[Part, ...],
        AfterValidator(_check_parts),
        Field(examples=["[{percent: 70, then: [...]}, {percent: 30}]"]),
    ]

    def plan(self, facts: Facts, so_far: Verdict) -> Plan:
        count = drawn((yield Draw(self.step, self.path, WHOLE)), WHOLE)
        place = spread(tuple(part.percent for part in self.parts))[count]
        part = self.parts[place]
        yield Turn(
            self.step, f"call {count + 1} of each 100: branch {place + 1}, which gets {part.percent} %"
        )
        if part.then is None:
            return so_far
        return final((yield from walk(part.then, facts, so_far)))
