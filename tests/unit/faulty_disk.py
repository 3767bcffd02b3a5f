"""A disk that fails or is full, for tests of the journal."""

import asyncio
import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from journal import folder, thread
from journal.entries import Entry
from journal.recovery import recover

SEGMENT = 2**16
AT_MOST = 10.0  # s that a test waits for the journal's thread


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """A degraded journal tries again at once: nobody waits in a test."""
    monkeypatch.setattr(thread, "RETRY_SECONDS", 0.005)
    monkeypatch.setattr(folder, "RESERVE_RETRY_SECONDS", 0.01)


def failing(
    monkeypatch: pytest.MonkeyPatch, name: str, fails: Callable[[int], bool], code: int = errno.EIO
) -> None:
    """Let the calls of `os.<name>` fail of which `fails` says so, counted from 1."""
    real = getattr(os, name)
    calls = iter(range(1, 1_000_000))

    def call(*args: Any) -> Any:
        if fails(next(calls)):
            raise OSError(code, os.strerror(code))
        return real(*args)

    monkeypatch.setattr(os, name, call)


def fill(disk: pytest.MonkeyPatch) -> None:
    """The disk is full: what is allocated can be written, nothing more can be allocated."""
    failing(disk, "posix_fallocate", lambda nth: True, errno.ENOSPC)


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(AT_MOST):
        while not is_so():  # noqa: ASYNC110 - the journal's thread says nothing of it
            await asyncio.sleep(0.001)


def begun(directory: Path) -> list[Entry]:
    """The first entries of the calls that are open."""
    return [found.entries[0] for found in recover(directory).open_calls.values()]
