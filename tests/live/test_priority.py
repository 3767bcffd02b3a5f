"""Asterisk goes before all else on its host, where it may: its threads make recordings even."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from engine.dev.asterisk import Asterisk


@pytest.fixture
def given() -> Iterator[int]:
    """The policy a process of ours has once real-time priority has been asked for it: we may not, or may."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        with suppress(PermissionError):
            os.sched_setscheduler(child.pid, os.SCHED_RR, os.sched_param(1))
        yield os.sched_getscheduler(child.pid)
        child.kill()


def test_every_thread_of_asterisk_goes_first_where_it_may(asterisk: Asterisk, given: int) -> None:
    threads = [int(thread.name) for thread in Path(f"/proc/{asterisk.pid}/task").iterdir()]
    assert len(threads) > 10
    assert {os.sched_getscheduler(thread) for thread in threads} == {given}
