"""What holds for every test."""

import asyncio
import os
import sys


def pytest_configure() -> None:
    """Say that this thread has no event loop, and let Python keep what it compiles."""
    # Else the first to ask (looptime, before every test) is given a new one, which nobody closes: with
    # warnings as errors, whichever test the garbage collector happens to run in then fails.
    asyncio.set_event_loop(None)
    # Where the machine forbids it, each process that a test starts compiles up to 1,000 modules: an engine
    # starts in 1.9 s of CPU instead of 0.7, and each change of the routing costs 1.5 s instead of 0.7.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
