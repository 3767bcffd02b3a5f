"""Steps that no call can come to, because the step before them ends every call."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TypeGuard
from zoneinfo import ZoneInfo

from config.errors import At
from dialplan.calendar import Calendar
from dialplan.caller import UNKNOWN
from dialplan.result import OPEN, Outcome
from dialplan.step import Facts, StepModel, values_in

SOME_CALL = Facts(datetime(2026, 1, 1, tzinfo=UTC), UNKNOWN, ZoneInfo("UTC"), Calendar())


def unreachable(steps: Sequence[StepModel], at: At) -> Iterator[tuple[At, str]]:
    """Return the place of the first step that cannot be reached, in this list and in each branch."""
    for place, step in enumerate(steps):
        here = (*at, place, step.step)
        if place and always_ends(steps[place - 1]):
            yield here, f"no call comes here: `{steps[place - 1].step}` ends every call; remove one of them"
            return
        for inner, value in values_in(vars(step), here):
            if is_steps(value):
                yield from unreachable(value, inner)


def always_ends(step: StepModel) -> bool:
    """Whether a call ends with this step, whatever its outcome is. A step with branches may go on."""
    if step.chooses or step.destinations or any(is_steps(value) for _, value in values_in(vars(step))):
        return False
    return all(_ends(step, outcome) for outcome in (Outcome.DONE, Outcome.FAILED))


def _ends(step: StepModel, outcome: Outcome) -> bool:
    plan = step.plan(SOME_CALL, OPEN)
    try:
        if next(plan) is not step:  # it decides by the facts of a call
            return False
        plan.send(outcome)
    except StopIteration as over:
        return bool(over.value.final)
    return False


def is_steps(value: object) -> TypeGuard[tuple[StepModel, ...]]:
    return isinstance(value, tuple) and bool(value) and all(isinstance(it, StepModel) for it in value)
