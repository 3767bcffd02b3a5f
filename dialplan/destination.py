"""Where a call may be sent, and whose number the destination is shown."""

import re
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from dialplan.model import E164, Label, Model
from dialplan.opening import Opening
from dialplan.references import ConfirmSetting, WhisperSetting, check_destination


class Present(StrEnum):
    """Whose number a destination is shown. A withheld caller stays withheld under `caller`."""

    CALLER = "caller"
    SERVICE_NUMBER = "service_number"
    ANONYMOUS = "anonymous"


def refuse_short(number: Any) -> Any:
    """Give 112 and the like a better error than a number that is not E.164."""
    if isinstance(number, str) and re.fullmatch(r"\+?[0-9*#]{2,6}", number, re.ASCII):
        raise ValueError(
            f"`{number}` is an emergency or short number, never a destination; write a full one: +3221112233"
        )
    return number


# The type of every number that a call may be sent to.
DestinationNumber = Annotated[
    E164, BeforeValidator(refuse_short), AfterValidator(check_destination), Field(examples=["+3221112233"])
]


class Destination(Model):
    """A number to ring: `+3221112233`, or `{number: +3221112233, present: anonymous}`.

    `present`, the number it is shown, is `caller` (the caller's number; withheld stays withheld),
    `service_number` or `anonymous`. `hours`: when it is rung, as in the step `hours`; not on holidays.
    `seconds`: how long it rings, where destinations ring one after another. `percent`: its part of the calls,
    with `strategy: percent`. `max_calls`: how many calls of this node may ring or talk there at once; a
    further one leaves it out, as busy. `label`: what `explain` calls it.

    `whisper`: a prompt that the destination hears when it has answered, before it talks with the caller: for
    which of the numbers a call is, say. `confirm: true`: it is asked to press 1 to take the call, three times
    in some 15 seconds. Without the key the call goes on as `no_answer`, so that a mobile's voicemail, which
    answers and greets, never takes a call; `confirmation` of the leg in the call record says so. The caller
    hears ringing meanwhile, and pays nothing. For `confirm`, destinations have to ring one after another. A
    prompt of the owner called `confirm` replaces the built-in request.
    """

    alone: ClassVar = "number"

    number: DestinationNumber
    present: Present = Present.CALLER
    hours: Opening | None = None
    seconds: Annotated[int, Field(ge=5, le=120)] | None = None
    percent: Annotated[int, Field(ge=1, le=100)] | None = None
    label: Label = ""
    max_calls: Annotated[int, Field(ge=1, le=10_000)] | None = None
    whisper: WhisperSetting | None = None
    confirm: ConfirmSetting = False

    @classmethod
    def noun(cls) -> str:
        return "a destination"

    @model_validator(mode="before")
    @classmethod
    def _number_alone(cls, written: Any) -> Any:
        return {"number": written} if isinstance(written, str) else written

    def __str__(self) -> str:
        return self.number

    @property
    def summary(self) -> str:
        """The number, its label, and what differs from an ordinary destination."""
        named = f"{self.label} {self}" if self.label else str(self)
        notes = [] if self.present is Present.CALLER else [f"{self.present} shown"]
        notes += [f"hears {self.whisper}"] if self.whisper else []
        notes += ["asked to press 1"] if self.confirm else []
        return f"{named} ({', '.join(notes)})" if notes else named
