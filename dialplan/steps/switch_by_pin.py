"""`switch_by_pin`: put a switch on, or off again, by a call and a PIN."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from dialplan.model import Name
from dialplan.references import PromptSetting
from dialplan.result import Choice, Verdict
from dialplan.step import Case, Facts, Plan, StepModel

ON, OFF, REFUSED = Choice("on"), Choice("off"), Choice("refused")


class SwitchByPin(StepModel):
    """Ask for a PIN; put a switch on, or off if it is on, and say which. Then the route goes on.

        - switch_by_pin:
            name: closed                the switch: the step `switch` has its steps
            ask: enter-pin              the prompt that asks for the PIN; # ends it
            on: now-closed              the prompt that confirms that it is on
            off: open-again             the prompt that confirms that it is off
            of: owner                   for all numbers of the owner; without it, for this number
            hours: 12                   after so many hours it goes off by itself, 1 to 168

    `callengine pin +3270012345` sets the PIN, of a number or of an owner; that of the number counts first.
    The call is answered. The PIN may be entered three times. After ten wrong ones in a row from one number,
    in whatever calls, none is accepted from there for an hour, later for longer; callers without a number
    count as one. After a hundred wrong ones within a day, none is accepted from numbers that never had it
    right. It is in no log and no record; `callengine switches --all` says when
    and in which call the switch was put on. It is on for the calls that come in from then on.
    """

    alone: ClassVar = "name"
    chooses: ClassVar = True

    step: Literal["switch_by_pin"] = "switch_by_pin"
    name: Annotated[Name, Field(examples=["closed"])]
    ask: PromptSetting
    on: PromptSetting
    off: PromptSetting
    of: Literal["number", "owner"] = "number"
    hours: Annotated[int, Field(ge=1, le=168)] = 12

    def plan(self, facts: Facts, so_far: Verdict) -> Plan:
        yield self
        return so_far

    def supposed(self, case: Case) -> Choice:
        return REFUSED

    @property
    def prompts(self) -> tuple[str, ...]:
        """What every caller hears. The confirmation depends on the PIN, which `expect` does not know."""
        return (self.ask,)

    @property
    def switches(self) -> tuple[str, ...]:
        return (self.name,)
