"""Perform `menu`: ask for a key, as often as the step allows."""

import structlog

from dialplan.prompt import Prompt
from dialplan.result import Choice
from dialplan.steps.menu import INVALID, TIMEOUT, Menu
from engine.call import Call
from engine.ending import MENU

log = structlog.get_logger()

# How long a caller may take from one digit of an entry to the next.
BETWEEN_DIGITS_SECONDS = 3.0


async def menu(step: Menu, call: Call) -> Choice:
    """Return the caller's choice, or why the last try was without one."""
    if step.answer:
        await call.answer(to=MENU)
    prompt, _ = call.prompt(step.prompt)
    if prompt is None:
        log.error("prompt_failed", prompt=step.prompt)
    performed = call.state.performed
    if not performed or performed[-1].step != step.step:
        call.line.forget_keys()
    choice = TIMEOUT
    for _ in range(step.tries):
        choice = await entry(step, prompt, call)
        if choice not in (INVALID, TIMEOUT):
            break
        call.line.forget_keys()
    return choice


async def entry(step: Menu, prompt: Prompt | None, call: Call) -> Choice:
    """Return the caller's entry, made after the prompt or during it."""
    pressed = ""
    key = await call.line.ask(prompt, step.seconds)
    while key is not None:
        pressed += key.digit
        if (choice := step.entered(pressed)) is not None:
            return choice
        key = await call.line.ask(None, BETWEEN_DIGITS_SECONDS)
    return step.ended(pressed)
