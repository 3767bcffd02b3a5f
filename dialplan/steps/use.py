"""`use`: go through steps that stand in a file of their own."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from dialplan.model import Name
from dialplan.result import Verdict
from dialplan.route import Steps
from dialplan.step import Facts, Plan, StepModel, Turn
from dialplan.walk import walk


class Use(StepModel):
    """Go through the steps of a sub-route, which several numbers can use; then the route goes on.

        - use: evening                  the steps of routes/evening.yaml
        - use: {name: evening}          the same

    The steps are checked for each number that uses them: prompts are those of its owner, in its language. A
    branch in them, once taken, is the rest of the whole route, as anywhere. A sub-route may use others, but
    not itself.
    """

    alone: ClassVar = "name"
    uses_file: ClassVar = True

    step: Literal["use"] = "use"
    name: Annotated[Name, Field(examples=["evening, the name of a file in routes/"])]
    route: Annotated[Steps, Field(exclude=True)]  # filled in when the routing folder is read

    def plan(self, facts: Facts, so_far: Verdict) -> Plan:
        yield Turn(self.step, f"the steps of routes/{self.name}.yaml")
        return (yield from walk(self.route, facts, so_far))
