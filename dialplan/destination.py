"""Where a call may be sent, and whose number the destination is shown."""

import re
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from dialplan.model import E164, Label, Model
from dialplan.opening import Opening
from dialplan.references import check_destination


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
    with `strategy: percent`. `label`: what `explain` calls it.
    """

    alone: ClassVar = "number"

    number: DestinationNumber
    present: Present = Present.CALLER
    hours: Opening | None = None
    seconds: Annotated[int, Field(ge=5, le=120)] | None = None
    percent: Annotated[int, Field(ge=1, le=100)] | None = None
    label: Label = ""

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
        """The number, its label, and the presentation unless it is the caller's number."""
        named = f"{self.label} {self}" if self.label else str(self)
        return named if self.present is Present.CALLER else f"{named} ({self.present} shown)"
