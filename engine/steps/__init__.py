"""How each step is performed: one file for each step, with the name that it has in `dialplan/steps/`."""

from collections.abc import Awaitable, Callable
from typing import Any

from dialplan.result import Answer
from dialplan.step import StepModel
from dialplan.steps.announce import Announce
from dialplan.steps.hangup import Hangup
from dialplan.steps.limit import Limit
from dialplan.steps.menu import Menu
from dialplan.steps.ring import Ring
from dialplan.steps.voicemail import Voicemail
from dialplan.steps.wait import Wait
from engine.call import Call
from engine.steps.announce import announce
from engine.steps.hangup import hangup
from engine.steps.limit import limit
from engine.steps.menu import menu
from engine.steps.ring import ring
from engine.steps.voicemail import voicemail
from engine.steps.wait import wait

type Performer[S: StepModel] = Callable[[S, Call], Awaitable[Answer]]

PERFORMERS: dict[type[StepModel], Performer[Any]] = {}


def register[S: StepModel](model: type[S], performer: Performer[S]) -> None:
    """Register the performer of a step. A step that only decides, such as `hours`, has none."""
    PERFORMERS[model] = performer


register(Announce, announce)
register(Hangup, hangup)
register(Limit, limit)
register(Menu, menu)
register(Ring, ring)
register(Voicemail, voicemail)
register(Wait, wait)


async def perform(step: StepModel, call: Call) -> Answer:
    """Perform the step. Raises HungUp when the caller leaves."""
    return await PERFORMERS[type(step)](step, call)
