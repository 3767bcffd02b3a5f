"""`wait`: let the caller wait before the next step."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from dialplan.references import MusicSetting
from dialplan.result import Verdict
from dialplan.step import Facts, Plan, StepModel


class Wait(StepModel):
    """Let the caller wait so many seconds, with ringing or music: before a destination is tried again, say.

        - wait: 10                      with ringing
        - wait:
            seconds: 10                 1 to 120
            music: waiting              prompts/waiting.mp3, again and again

    The call is not answered by it: a caller who is not answered yet pays nothing for waiting.
    """

    alone: ClassVar = "seconds"

    step: Literal["wait"] = "wait"
    seconds: Annotated[int, Field(ge=1, le=120, examples=["10"])]
    music: MusicSetting | None = None

    def plan(self, facts: Facts, so_far: Verdict) -> Plan:
        yield self
        return so_far

    @property
    def ringing(self) -> int:
        return self.seconds

    @property
    def summary(self) -> str:
        return f"{self.seconds} s, with {self.music or 'ringing'}"
