"""Wait for a condition that can only be polled."""

import asyncio
from collections.abc import Callable

POLL_SECONDS = 0.02

# Prints a line about the progress.
Report = Callable[[str], None]


async def until(condition: Callable[[], object], seconds: float = 60) -> None:
    """Wait until the condition is true; raise TimeoutError after `seconds`."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while not condition():
        if loop.time() > deadline:
            raise TimeoutError(f"the condition is not true after {seconds:g} s")
        await asyncio.sleep(POLL_SECONDS)
