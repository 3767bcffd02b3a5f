"""What holds for every test."""

import asyncio


def pytest_configure() -> None:
    """Say that this thread has no event loop.

    Else the first to ask (looptime, before every test) is given a new one, which nobody closes: with warnings
    as errors, whichever test the garbage collector happens to run in then fails.
    """
    asyncio.set_event_loop(None)
