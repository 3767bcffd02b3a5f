"""The limits of every call, as settings."""

from pydantic import Field

from dialplan.model import Model


class Limits(Model):
    """Limits of every call, whatever its route contains."""

    max_call_minutes: float = Field(240, gt=0, le=720, description="A call that lasts longer is ended")
    same_caller: int = Field(
        10,
        ge=1,
        le=1000,
        description="Calls of one caller that may ring at one number at once; one more is a loop: busy",
    )
    unreachable_in_a_row: int = Field(
        3, ge=0, le=1000, description="After so many, a destination is left out for a while. 0: never"
    )
