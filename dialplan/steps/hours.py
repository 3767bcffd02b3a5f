"""`hours`: branch by day and time."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from dialplan.opening import NO_OWN_DAYS, Opening
from dialplan.own_days import Days
from dialplan.result import Result, Verdict, final
from dialplan.route import Branch
from dialplan.step import Facts, Plan, StepModel, Turn
from dialplan.walk import walk


class Hours(StepModel):
    """While open, the route goes on to the next step; otherwise it takes `closed`, or on a holiday `holiday`.

        - hours:
            open: [mon-fri 09:00-12:30 13:30-17:30, sat 10:00-13:00, fri 22:00-02:00]
            closed: [...]
            holiday: [...]              without it, holidays count as closed
            on:                         days with hours of their own, whatever the week and the holidays say
              2026-12-24: 09:00-12:30   a half day
              12-31: closed             on this day every year
        - hours: mon-fri 09:00-17:00    when closed, the call ends as closed

    Days are mon tue wed thu fri sat sun, ranges, lists (mon,wed) or daily. A time over midnight belongs to
    the day it begins on: a holiday on that day cancels all of it. Times are those of the number's time zone.
    A day under `on` is no holiday: outside its hours the route takes `closed`.
    """

    alone: ClassVar = "open"

    step: Literal["hours"] = "hours"
    open: Annotated[Opening, Field(examples=["mon-fri 09:00-17:30"])]
    on: Days = NO_OWN_DAYS
    holiday: Branch = None
    closed: Branch = None

    def plan(self, facts: Facts, so_far: Verdict) -> Plan:
        moment = self.open.at(facts.now, facts.zone, facts.calendar, self.on)
        yield Turn(self.step, moment.why)
        if moment.open:
            return so_far
        branch = self.holiday if moment.holiday and self.holiday else self.closed
        return final((yield from walk(branch or (), facts, Verdict(Result.CLOSED))))
