"""A process whose log cannot be written works on, and ends when it is done."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.lateness import PATIENCE

MANY = 30_000  # more than the queue and the pipe hold
FEW = 3_000
PROGRAM = """
import logging, sys, threading, warnings
import structlog
from process.log import lines_dropped, log_to_stderr

log_to_stderr()
for n in range(int(sys.argv[1])):
    structlog.get_logger().info("leg answered", n=n)
logging.getLogger("asyncio").error("a library")
warnings.warn("a warning")

class Dies:
    def __del__(self):
        raise ValueError("ignored")

Dies()
thread = threading.Thread(target=lambda: 1 / 0)
thread.start()
thread.join()
print("dropped", lines_dropped())
sys.exit(7)
"""


@contextmanager
def unread_pipe() -> Iterator[int]:
    """A pipe that nobody reads."""
    reading, writing = os.pipe()
    yield writing
    os.close(writing)
    os.close(reading)


@contextmanager
def closed_pipe() -> Iterator[int]:
    """A pipe whose reader is gone."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


@contextmanager
def full_disk() -> Iterator[int]:
    with Path("/dev/full").open("wb", buffering=0) as file:
        yield file.fileno()


def run(lines: int, stderr: int | None = None, *, closes_stderr: bool = False) -> tuple[int, str]:
    """The exit status of the program that logs so many lines, and what it has printed."""
    command = [sys.executable, "-c", PROGRAM, str(lines)]
    if closes_stderr:
        command = ["sh", "-c", 'exec "$@" 2>&-', "sh", *command]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=stderr, text=True, check=False, timeout=2 * PATIENCE
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize("log", [unread_pipe, closed_pipe, full_disk])
def test_a_log_that_cannot_be_written_stops_nobody(log: Callable[[], AbstractContextManager[int]]) -> None:
    with log() as stderr:
        status, printed = run(MANY, stderr)
    assert status == 7
    word, dropped = printed.split()
    assert word == "dropped"
    assert MANY - 12_000 <= int(dropped) <= MANY


def test_a_process_without_standard_error_works_on() -> None:
    status, printed = run(MANY, closes_stderr=True)
    assert (status, printed.startswith("dropped ")) == (7, True)


def test_a_log_that_can_be_written_is_whole_to_its_last_line(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as file:
        status, printed = run(FEW, file.fileno())
    assert (status, printed) == (7, "dropped 0\n")
    lines = log.read_text().splitlines()
    assert len(lines) == FEW + 4
    events = ["a library", "a warning", "exception_ignored", "thread_failed"]
    for line, event in zip(lines[-4:], events, strict=True):
        assert event in line
