"""A module of ours run as a process of its own: what is slow, or may crash, is not in the way of a call."""

import asyncio
import os
import pickle
import sys
from typing import Any


def reply(answer: object) -> None:
    """In the child: answer and end. A parent that has been killed meanwhile wants no answer any more."""
    try:
        pickle.dump(answer, sys.stdout.buffer)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        os._exit(1)  # the interpreter would write again, and report that it cannot


class ChildError(Exception):
    """The process did not answer; says what became of it."""


async def answer_of(module: str, *arguments: str, told: bytes = b"", seconds: float) -> Any:
    """What `python -m module` pickles to its standard output, `told` being its standard input.

    Killed when it takes longer than `seconds`. Raises ChildError.
    """
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", module, *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(seconds):
            answer, _ = await child.communicate(told)
    except TimeoutError:
        raise ChildError(f"took more than {seconds:g} s and was given up; try again") from None
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if child.returncode:
        raise ChildError(f"ended with {child.returncode}; see its log above")
    return await asyncio.to_thread(pickle.loads, answer)  # our own child's
