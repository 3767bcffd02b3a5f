"""The worker as a process that can be killed: forked from a server that has everything imported already.

A start costs 0.1 s instead of one second, which is what lets every point be killed in every run of the tests.
"""

import asyncio
import importlib
import multiprocessing
import os
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path

from config.settings import load_settings
from journal import fault
from process import log
from tests.lateness import PATIENCE
from worker import destruction, erasing, key_rotation, publishing, sealing, sweeping
from worker.service import work

START = multiprocessing.get_context("forkserver")
START.set_forkserver_preload(["__main__", __name__])


def run(environment: Mapping[str, str], output: Path) -> None:
    """In the new process: be the worker."""
    descriptor = os.open(output, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.environ.pop("CALLENGINE_KILLS", None)  # which is the test's, and no setting
    os.environ.update(environment)
    importlib.reload(fault)  # which reads its variable once, when imported
    sweeping.SWEEP_SECONDS = destruction.DESTROY_SECONDS = 0.2  # a test does not wait
    erasing.LOOK_SECONDS = erasing.JOURNAL_SECONDS = 0.2
    sealing.SEAL_SECONDS = key_rotation.ROTATE_SECONDS = publishing.PUBLISH_SECONDS = 0.2
    settings = load_settings()
    log.log_to_stderr(settings.log.level)
    asyncio.run(work(settings))


@contextmanager
def working(environment: Mapping[str, str], output: Path, failpoint: str = "") -> Iterator[BaseProcess]:
    """The worker, told this; killed at the end of the block unless it has ended."""
    told = {**environment, fault.VARIABLE: failpoint}
    process = START.Process(target=run, args=(told, output), daemon=True)
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join(5)


async def until(is_so: Callable[[], Awaitable[bool]], what: str, seconds: float = 2 * PATIENCE) -> None:
    """Wait until it is so. Raises AssertionError after so many seconds."""
    deadline = time.monotonic() + seconds
    while not await is_so():
        if time.monotonic() > deadline:
            raise AssertionError(f"not in {seconds:.0f} s: {what}")
        await asyncio.sleep(0.05)
