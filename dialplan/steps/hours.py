"""`hours`: branch by day and time."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from dialplan.opening import NO_OWN_DAYS, Moment, Opening
from dialplan.own_days import Days
from dialplan.references import CalendarSetting
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
            calendar: closing-days      it is closed while an event of calendars/closing-days.ics lasts
        - hours: mon-fri 09:00-17:00    when closed, the call ends as closed

    Days are mon tue wed thu fri sat sun, ranges, lists (mon,wed) or daily. A time over midnight belongs to
    the day it begins on: a holiday on that day cancels all of it. Times are those of the number's time zone.
    A day under `on` is no holiday: outside its hours the route takes `closed`.

    A calendar is an iCalendar file, as any calendar program exports it, with at most 1,000 events, which
    count for five years from now on. An event of whole days, or without a time zone, is in the number's time
    zone. Repeated events count, cancelled ones do not. While one lasts the route takes `closed`, also on a
    day under `on`. `explain` and the journal have the event's name.
    """

    alone: ClassVar = "open"

    step: Literal["hours"] = "hours"
    open: Annotated[Opening, Field(examples=["mon-fri 09:00-17:30"])]
    on: Days = NO_OWN_DAYS
    calendar: CalendarSetting | None = None
    holiday: Branch = None
    closed: Branch = None

    def plan(self, facts: Facts, so_far: Verdict) -> Plan:
        moment = self.open.at(facts.now, facts.zone, facts.calendar, self.on)
        if moment.open and self.calendar and (event := facts.event(self.calendar)):
            moment = Moment(open=False, why=f"closed: {event}, in the calendar {self.calendar}")
        yield Turn(self.step, moment.why)
        if moment.open:
            return so_far
        branch = self.holiday if moment.holiday and self.holiday else self.closed
        return final((yield from walk(branch or (), facts, Verdict(Result.CLOSED))))
