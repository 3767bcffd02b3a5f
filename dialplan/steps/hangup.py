"""`hangup`: end the call."""

from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from dialplan.result import Result, Verdict, final
from dialplan.step import Facts, Plan, StepModel


class Reason(StrEnum):
    """The results that a route may choose; the caller's network gets the SIP answer for it."""

    BUSY = Result.BUSY
    CLOSED = Result.CLOSED
    REJECTED = Result.REJECTED
    UNREACHABLE = Result.UNREACHABLE
    FAILED = Result.FAILED
    NO_ANSWER = Result.NO_ANSWER


class Hangup(StepModel):
    """End the call here, with a reason for the caller's network.

    - hangup: busy
    - hangup: {reason: busy}        busy, closed, no_answer, rejected, unreachable or failed
    """

    alone: ClassVar = "reason"
    has_outcome: ClassVar = False

    step: Literal["hangup"] = "hangup"
    reason: Annotated[Reason, Field(examples=["busy"])]

    def plan(self, facts: Facts, so_far: Verdict) -> Plan:
        yield self
        return final(Verdict(Result(self.reason)))
