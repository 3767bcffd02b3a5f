"""Perform `switch_by_pin`: ask for the PIN, put the switch on or off, and confirm it."""

import structlog

from dialplan.prompt import Prompt
from dialplan.result import Choice
from dialplan.steps.switch_by_pin import OFF, ON, REFUSED, SwitchByPin
from engine.call import Call
from engine.ending import MENU
from engine.pins import LONGEST
from engine.steps.announce import say

log = structlog.get_logger()

TRIES = 3
SECONDS, BETWEEN_DIGITS_SECONDS = 8.0, 4.0
END = "#"


async def switch_by_pin(step: SwitchByPin, call: Call) -> Choice:
    """Return what the switch was put to; the keys of a PIN are in no choice."""
    await call.answer(to=MENU)
    prompt, _ = call.prompt(step.ask)
    if prompt is None:
        log.error("prompt_failed", prompt=step.ask)
    number, caller = call.terms.number, call.line.caller.number or ""
    target = number.number if step.of == "number" else number.owner
    for _ in range(TRIES):
        call.line.forget_keys()
        if await call.services.is_pin(await entered(prompt, call), number.number, number.owner, caller):
            is_on = await call.services.put_switch(target, step.name, step.hours, call.line.call_id)
            if is_on is None:
                return REFUSED
            await say(step.on if is_on else step.off, call)
            return ON if is_on else OFF
    return REFUSED


async def entered(prompt: Prompt | None, call: Call) -> str:
    """Return the digits that the caller enters, during the prompt or after it; empty if there are none."""
    digits = ""
    key = await call.line.ask(prompt, SECONDS)
    while key is not None and key.digit != END and len(digits) < LONGEST:
        digits += key.digit
        key = await call.line.ask(None, BETWEEN_DIGITS_SECONDS)
    return digits
