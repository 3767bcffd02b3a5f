"""Retrace a past call: walk its number's route again, with the facts and the routing version of that time.

The record has the attempts at destinations, the message and the result of the call. The outcome of each step
is derived from these; that a prompt was heard is supposed.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from dialplan.caller import UNKNOWN, WITHHELD, Caller, Presentation
from dialplan.lists import Lists
from dialplan.number import ServiceNumber
from dialplan.result import Answer, Choice, Outcome, Result, together
from dialplan.second_try import AGAIN
from dialplan.step import NO_LISTS, Draw, Facts, StepModel, Turn
from storage.records import CallRecord, LegRecord

LEFT = (Result.ABANDONED, Result.LOST)  # the call ended before its route did
MEANWHILE = timedelta(milliseconds=100)  # legs end within this time after the caller hangs up


class Known(StrEnum):
    """How the outcome of a past step is known."""

    ATTEMPTS = "from its attempts"
    MESSAGE = "from the message"
    CHOICE = "as the journal has it"
    SUPPOSED = "supposed"
    LEFT = "the caller left meanwhile"
    NOT = "not recorded"


@dataclass(frozen=True, slots=True)
class PastStep:
    """A step of a past call; `outcome` is None if the call ended in it, or did not reach it."""

    step: StepModel
    outcome: Answer | None
    known: Known
    legs: tuple[LegRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class Retraced:
    """The path of a past call. `result`: the result of the walk; None if the call ended before."""

    path: tuple[Turn | PastStep, ...]
    result: Result | None


def retrace(record: CallRecord, number: ServiceNumber, lists: Lists = NO_LISTS) -> Retraced:
    """Walk the route of the version that the call began under, with the record's outcomes and choices."""
    legs, choices = list(record.legs), list(record.choices)
    path: list[Turn | PastStep] = []
    plan = number.plan(facts_of(record, number, lists))
    try:
        step = next(plan)
        while True:
            if isinstance(step, Turn):
                path.append(step)
                step = plan.send(Outcome.DONE)
                continue
            if isinstance(step, Draw):
                if not choices:  # the caller left before, or an engine before choices were recorded
                    return Retraced(tuple(path), None)
                step = plan.send(Choice(choices.pop(0)))
                continue
            past_step = _past_step(step, record, legs, choices)
            path.append(past_step)
            if past_step.outcome is None:
                return Retraced(tuple(path), None)
            step = plan.send(past_step.outcome)
    except StopIteration as over:
        return Retraced(tuple(path), over.value.result)


def facts_of(record: CallRecord, number: ServiceNumber, lists: Lists = NO_LISTS) -> Facts:
    """The facts at the time of the call."""
    caller = Caller(Presentation.SHOWN, record.caller) if record.caller else UNKNOWN
    who = WITHHELD if record.withheld else caller
    return number.facts(
        record.began,
        who,
        lists,
        call_id=record.call_id,
        switches=record.switches,
        unreachable=record.unreachable,
    )


def _past_step(step: StepModel, record: CallRecord, legs: list[LegRecord], choices: list[str]) -> PastStep:
    if step.chooses:
        if choices:
            return PastStep(step, Choice(choices.pop(0)), Known.CHOICE)
        return PastStep(step, None, Known.LEFT if record.outcome in LEFT else Known.NOT)
    if step.destinations and choices and choices[0].startswith(AGAIN):
        return PastStep(step, Choice(choices.pop(0)), Known.ATTEMPTS, _its_legs(step, legs))
    if step.destinations:
        return _rung(step, record, _its_legs(step, legs), more=bool(legs))
    if step.takes_message:
        return _message(step, record)
    return PastStep(step, Outcome.DONE, Known.SUPPOSED)


def _message(step: StepModel, record: CallRecord) -> PastStep:
    if record.message_id:
        return PastStep(step, Outcome.DONE, Known.MESSAGE)
    if record.outcome in LEFT:
        return PastStep(step, None, Known.NOT)
    return PastStep(step, Outcome.FAILED, Known.MESSAGE)


def _its_legs(step: StepModel, legs: list[LegRecord]) -> tuple[LegRecord, ...]:
    """Take this ring's attempts off the remaining ones: the next one for each destination."""
    missing = Counter(map(str, step.destinations))
    attempts = []
    while legs and missing[legs[0].to]:
        missing[legs[0].to] -= 1
        attempts.append(legs.pop(0))
    return tuple(attempts)


def _rung(step: StepModel, record: CallRecord, legs: tuple[LegRecord, ...], *, more: bool) -> PastStep:
    if any(_was_taken(leg, record) for leg in legs):
        return PastStep(step, Outcome.TAKEN, Known.ATTEMPTS, legs)
    if record.outcome in LEFT and not more:
        if not legs:
            return PastStep(step, None, Known.NOT)
        if not all(leg.ended and record.ended and leg.ended < record.ended - MEANWHILE for leg in legs):
            return PastStep(step, None, Known.LEFT, legs)
    outcomes = [Outcome(leg.outcome) for leg in legs if leg.outcome]
    return PastStep(step, together(outcomes), Known.ATTEMPTS if outcomes else Known.NOT, legs)


def _was_taken(leg: LegRecord, record: CallRecord) -> bool:
    """Whether this destination talked with the caller; without a recorded end it has no outcome."""
    unseen = not leg.outcome and leg.answered is not None and leg.to == record.delivered_to
    return leg.outcome == Outcome.TAKEN or unseen
