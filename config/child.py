"""A module of ours run as a process of its own: what is slow, or may crash, does not delay a call."""

import asyncio
import pickle
import sys
from typing import Any

from config.reply import reply

__all__ = ["ChildError", "answer_of", "reply"]


class ChildError(Exception):
    """The process did not answer. Its text says why, and continues the words "the process"."""


async def answer_of(module: str, *arguments: str, stdin: bytes = b"", seconds: float) -> Any:
    """Run `python -m module` with this standard input; return what it pickles to its standard output.

    It is killed if it takes longer than `seconds`. Raises ChildError.
    """
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", module, *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(seconds):
            answer, _ = await child.communicate(stdin)
    except TimeoutError:
        raise ChildError(f"took more than {seconds:g} s and was given up; try again") from None
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if child.returncode:
        raise ChildError(f"ended with {child.returncode}; see its log above")
    return await asyncio.to_thread(pickle.loads, answer)  # our own child's
