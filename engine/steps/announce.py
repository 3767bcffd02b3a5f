"""Perform `announce`: early media while the call is unanswered, so the caller pays nothing for it."""

import structlog

from dialplan.result import Outcome
from dialplan.steps import Announce
from engine.call import Call

log = structlog.get_logger()


async def announce(step: Announce, call: Call) -> Outcome:
    """Play the prompt to its end. A prompt that fails is logged; the caller goes on to the next step."""
    prompt = call.agreed.prompt(step.prompt)
    if prompt is None or not await call.line.play(prompt):
        log.error("prompt_failed", prompt=step.prompt)
        return Outcome.FAILED
    return Outcome.DONE
