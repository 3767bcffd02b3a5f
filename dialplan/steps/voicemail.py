"""`voicemail`: take a message for the owner."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from dialplan.prompt import GREETING, VOICEMAIL_PROMPTS
from dialplan.references import PromptSetting
from dialplan.result import Outcome, Result, Verdict, final
from dialplan.step import Facts, Plan, StepModel


class Voicemail(StepModel):
    """Answer the call, play a greeting and a beep, and record a message, which is mailed to the owner.

        - voicemail: closed                     with the greeting prompts/closed.wav
        - voicemail: {}                         with the usual greeting, in the owner's language
        - voicemail:
            greeting: closed
            seconds: 180                        how long a message may be, 10 to 600; its end is announced
            silence: 5                          seconds of silence that end it, 2 to 30

    The caller ends it by hanging up or with `#`. It is the end of the route. If no message can be taken (the
    disk is full), the caller hears so without being answered, and the call ends as failed.
    """

    alone: ClassVar = "greeting"
    built_in: ClassVar = VOICEMAIL_PROMPTS
    takes_message: ClassVar = True

    step: Literal["voicemail"] = "voicemail"
    greeting: PromptSetting | None = None
    seconds: Annotated[int, Field(ge=10, le=600)] = 180
    silence: Annotated[int, Field(ge=2, le=30)] = 5

    @property
    def prompt(self) -> str:
        """The name of the greeting that is heard."""
        return self.greeting or GREETING

    @property
    def prompts(self) -> tuple[str, ...]:
        return (self.prompt,)

    def plan(self, facts: Facts, so_far: Verdict) -> Plan:
        outcome = yield self
        return final(Verdict(Result.VOICEMAIL if outcome is Outcome.DONE else Result.FAILED))

    @property
    def summary(self) -> str:
        return f"{self.prompt}, a message of at most {self.seconds} s"
