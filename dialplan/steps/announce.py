"""`announce`: play a prompt to the caller."""

from typing import ClassVar, Literal

from dialplan.references import PromptSetting
from dialplan.result import Verdict
from dialplan.step import Facts, Plan, StepModel


class Announce(StepModel):
    """Play a prompt to its end, before the call is answered: the caller pays nothing for it.

        - announce: welcome                     the file prompts/welcome.wav, .mp3, .flac or .ogg
        - announce: {prompt: welcome}           the same

    A prompt in the owner's language (prompts/nl/welcome.wav) is preferred.
    """

    alone: ClassVar = "prompt"

    step: Literal["announce"] = "announce"
    prompt: PromptSetting

    def plan(self, facts: Facts, so_far: Verdict) -> Plan:
        yield self
        return so_far
