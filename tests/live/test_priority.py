"""Asterisk goes before all else on its host, where it may: its threads make recordings even."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from devkit.asterisk import Asterisk


@pytest.fixture
def given() -> Iterator[int]:
    """The policy a process of ours has once real-time priority has been asked for it: we may not, or may."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        with suppress(PermissionError):
            os.sched_setscheduler(child.pid, os.SCHED_RR, os.sched_param(1))
        yield os.sched_getscheduler(child.pid)
        child.kill()


def policies(pid: int) -> list[int]:
    """Of its threads, but for those that end meanwhile."""
    found = []
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with suppress(ProcessLookupError):
            found.append(os.sched_getscheduler(int(thread.name)))
    return found


def test_every_thread_of_asterisk_goes_first_where_it_may(asterisk: Asterisk, given: int) -> None:
    found = policies(asterisk.pid)
    assert len(found) > 10
    assert set(found) == {given}
