"""Perform `wait`: ringing or music for some seconds."""

from dialplan.result import Outcome
from dialplan.steps.wait import Wait
from engine.call import Call


async def wait(step: Wait, call: Call) -> Outcome:
    """Let the caller hear the music; ringing if the music is missing."""
    music = call.prompt(step.music)[0] if step.music else None
    await call.line.wait(step.seconds, music)
    return Outcome.DONE
