"""`switch`: other steps while an operator has put a switch on."""

import re
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from dialplan.names import NAME
from dialplan.result import Result, Verdict, final
from dialplan.route import Steps
from dialplan.step import Facts, Plan, StepModel, Turn
from dialplan.walk import walk


def _check_branches(branches: dict[str, Steps]) -> dict[str, Steps]:
    if not branches:
        raise ValueError("there are no switches; write at least one, as in  switch: {closed: [...]}")
    for name in branches:
        if not re.fullmatch(NAME, name, re.ASCII):
            raise ValueError(
                f"`{name}` is not the name of a switch; write at most 64 of a-z, 0-9, - and _, as in  closed"
            )
    return branches


class Switch(StepModel):
    """Take other steps while a switch is on. An operator puts it on by a command, until a time of the day.

        - switch:
            closed: [...]               steps while `closed` is on; they are the rest of the route
            strike: [...]               names are free; of two that are on, the first written here counts

    Where none is on, the route goes on with the next step.

    `callengine switch +3270012345 strike --until 2026-11-28T18:00 --reason "national strike"` puts it on, for
    the calls that come in from then on. At that time it goes off by itself; `--off` puts it off earlier. The
    name of an owner instead of a number: for all numbers of that owner. `callengine switches` lists what is
    on. A call keeps what was on when it came in. Switches outlive restarts of the engine; each node has its
    own.
    """

    alone: ClassVar = "branches"
    always_alone: ClassVar = True

    step: Literal["switch"] = "switch"
    branches: Annotated[
        dict[str, Steps], AfterValidator(_check_branches), Field(exclude=True, examples=["{closed: [...]}"])
    ]

    def plan(self, facts: Facts, so_far: Verdict) -> Plan:
        for name, branch in self.branches.items():
            if name in facts.switches:
                yield Turn(self.step, f"`{name}` is on")
                return final((yield from walk(branch, facts, Verdict(Result.CLOSED))))
        yield Turn(self.step, f"none is on of: {', '.join(self.branches)}")
        return so_far

    @property
    def switches(self) -> tuple[str, ...]:
        return tuple(self.branches)
