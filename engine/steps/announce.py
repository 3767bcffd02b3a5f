"""Perform `announce`: early media while the call is unanswered, so the caller pays nothing for it."""

from datetime import datetime

import structlog

from dialplan.result import Outcome
from dialplan.steps.announce import Announce
from engine.call import Call

log = structlog.get_logger()


async def announce(step: Announce, call: Call) -> Outcome:
    """Play the prompt to its end. A failure is logged, and the caller goes on to the next step."""
    return Outcome.FAILED if await say(step.prompt, call) is None else Outcome.DONE


async def say(name: str, call: Call) -> datetime | None:
    """Play the prompt of this name; return when it ended, or None if it failed."""
    prompt, _ = call.prompt(name)
    ended = await call.line.play(prompt) if prompt else None
    if ended is None:
        log.error("prompt_failed", prompt=name)
    return ended
