"""Perform `wait`: ringing or music for some seconds."""

from dialplan.result import Outcome
from dialplan.steps.wait import Wait
from engine.call import Call


async def wait(step: Wait, call: Call) -> Outcome:
    """Music that is not there is ringing."""
    music = call.terms.prompt(step.music) if step.music else None
    await call.line.wait(step.seconds, music)
    return Outcome.DONE
