"""How each step is performed: one file for each step, with the name that it has in `dialplan/steps/`."""

from collections.abc import Awaitable, Callable
from typing import Any, get_type_hints

from dialplan.result import Answer
from dialplan.step import StepModel
from engine.call import Call
from engine.steps.announce import announce
from engine.steps.hangup import hangup
from engine.steps.limit import limit
from engine.steps.menu import menu
from engine.steps.rate import rate
from engine.steps.ring import ring
from engine.steps.switch_by_pin import switch_by_pin
from engine.steps.voicemail import voicemail
from engine.steps.wait import wait

type Performer[S: StepModel] = Callable[[S, Call], Awaitable[Answer]]

PERFORMERS: dict[type[StepModel], Performer[Any]] = {}


def register(*performers: Performer[Any]) -> None:
    """Register the performers of steps. The type of the parameter `step` is the model that each performs.

    A step that only decides, such as `hours`, has no performer.
    """
    for performer in performers:
        PERFORMERS[get_type_hints(performer)["step"]] = performer


register(announce, hangup, limit, menu, rate, ring, switch_by_pin, voicemail, wait)


async def perform(step: StepModel, call: Call) -> Answer:
    """Perform the step. Raises HungUp when the caller leaves."""
    return await PERFORMERS[type(step)](step, call)
