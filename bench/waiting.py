"""Waiting for what can only be looked at."""

import asyncio
from collections.abc import Callable

LOOK_EVERY = 0.02

# Tells whoever waits how far things are, in a line.
Tell = Callable[[str], None]


async def until(is_so: Callable[[], object], seconds: float = 60) -> None:
    """Look until it is so; TimeoutError after so many seconds."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while not is_so():
        if loop.time() > deadline:
            raise TimeoutError(f"what was waited for has not come in {seconds:g} s")
        await asyncio.sleep(LOOK_EVERY)
