"""What holds for every test."""

import asyncio
import getpass
import os
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest

from tests.live.small_disk import may_mount

NO_DISKS = """\
This user may not mount file systems. A full disk is simulated by a failpoint of the journal, and a read-only
one by the modes of its folders; tests/faults leaves out the faults of disks. Root runs them on real disks."""


def pytest_configure() -> None:
    """Say that this thread has no event loop, and let Python keep what it compiles."""
    # Else the first to ask (looptime, before every test) is given a new one, which nobody closes: with
    # warnings as errors, whichever test the garbage collector happens to run in then fails.
    asyncio.set_event_loop(None)
    # Where the machine forbids it, each process that a test starts compiles up to 1,000 modules: an engine
    # starts in 1.9 s of CPU instead of 0.7, and each change of the routing costs 1.5 s instead of 0.7.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what is tested in another way without root."""
    if not all("unit" in Path(argument).parts for argument in config.args) and not may_mount():
        terminalreporter.write_line(NO_DISKS)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove pytest's own folder from that for temporary files, unless a run has left something there."""
    if hasattr(config, "workerinput"):  # of pytest-xdist: the main process does it
        return
    with suppress(OSError):
        folder = Path(tempfile.gettempdir()) / f"pytest-of-{getpass.getuser()}"
        links = [file for file in folder.iterdir() if file.is_symlink() and not file.exists()]
        for link in links:
            link.unlink()  # pytest-current
        folder.rmdir()
