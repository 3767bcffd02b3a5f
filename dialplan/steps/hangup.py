"""`hangup`: end the call."""

from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field

from dialplan.model import Written
from dialplan.result import Result, Verdict, final
from dialplan.step import Facts, Plan, StepModel

# The results that a route may choose; the caller's network gets the SIP answer for it.
REASONS = (
    Result.BUSY,
    Result.CLOSED,
    Result.REJECTED,
    Result.UNREACHABLE,
    Result.FAILED,
    Result.NO_ANSWER,
)


def read_reason(written: object) -> Result:
    """Parse one of REASONS. Raises ValueError with the remedy."""
    if written in REASONS:
        return Result(str(written))
    *others, last = REASONS
    shown = f"`{written}`" if isinstance(written, str) else "this"
    raise ValueError(f"{shown} is not one of its values; write {', '.join(others)} or {last}")


class Hangup(StepModel):
    """End the call here, with a reason for the caller's network.

    - hangup: busy
    - hangup: {reason: busy}        busy, closed, no_answer, rejected, unreachable or failed
    """

    alone: ClassVar = "reason"
    has_outcome: ClassVar = False

    step: Literal["hangup"] = "hangup"
    reason: Annotated[
        Result, BeforeValidator(read_reason), Written(enum=[*REASONS]), Field(examples=["busy"])
    ]

    def plan(self, facts: Facts, so_far: Verdict) -> Plan:
        yield self
        return final(Verdict(self.reason))
