"""The writer of the log: whoever logs neither waits nor hears of an error, and no line vanishes uncounted."""

import json
import threading
import time
from collections.abc import Callable

import pytest

from process.log_writer import LogWriter

AT_MOST = 10.0  # s that a test waits for the writer's thread


class Output:
    """A log file, pipe or disk: what has been written to it, and how it behaves now."""

    def __init__(self, behave: Callable[[memoryview], int] | None = None) -> None:
        self.written = bytearray()
        self.reached = threading.Event()
        self.behave = behave or self.take

    def write(self, data: memoryview) -> int:
        self.reached.set()
        return self.behave(data)

    def take(self, data: memoryview) -> int:
        self.written += data
        return len(data)

    @property
    def lines(self) -> list[str]:
        return self.written.decode().splitlines()


class Blocked(Output):
    """A pipe that nobody reads, until somebody does."""

    def __init__(self) -> None:
        super().__init__(self.wait)
        self.is_read = threading.Event()

    def wait(self, data: memoryview) -> int:
        assert self.is_read.wait(AT_MOST)
        return self.take(data)


def failing(output: Output, times: int) -> Callable[[memoryview], int]:
    """So often the disk is full; then there is room."""
    left = iter(range(times))

    def write(data: memoryview) -> int:
        if next(left, None) is not None:
            raise OSError(28, "No space left on device")
        return output.take(data)

    return write


def test_lines_are_written_in_their_order() -> None:
    output = Output()
    writer = LogWriter(output.write)
    for n in range(1_000):
        writer.put(str(n))
    assert writer.flush(AT_MOST)
    assert output.lines == [str(n) for n in range(1_000)]
    assert writer.dropped == 0


def test_nobody_who_logs_waits_for_a_reader_and_the_lines_dropped_are_reported() -> None:
    pipe = Blocked()
    writer = LogWriter(pipe.write, most=100)
    writer.put("first")
    assert pipe.reached.wait(AT_MOST)  # the writer's thread stands in its write from here on
    began = time.monotonic()
    for n in range(20_000):
        writer.put(str(n))
    assert time.monotonic() - began < 10, "no call waits"
    assert writer.dropped == 20_000 - 100
    assert not writer.flush(0.01), "nor does the end of the process, for long"
    pipe.is_read.set()
    assert writer.flush(AT_MOST)
    *lines, report = pipe.lines
    assert lines == ["first", *(str(n) for n in range(100))]
    told = json.loads(report)
    assert (told["event"], told["level"], told["count"]) == ("log_lines_dropped", "warning", 19_900)


def test_what_is_dropped_is_reported_once() -> None:
    pipe = Blocked()
    writer = LogWriter(pipe.write, most=1)
    writer.put("first")
    assert pipe.reached.wait(AT_MOST)
    for _ in range(3):
        writer.put("more")
    pipe.is_read.set()
    assert writer.flush(AT_MOST)
    writer.put("later")
    assert writer.flush(AT_MOST)
    assert len([line for line in pipe.lines if "log_lines_dropped" in line]) == 1
    assert pipe.lines[-1] == "later"


def test_a_full_disk_costs_no_line_as_long_as_the_queue_holds_them() -> None:
    disk = Output()
    disk.behave = failing(disk, 5)
    writer = LogWriter(disk.write, retry_seconds=0.001)
    for n in range(10):
        writer.put(str(n))
    assert writer.flush(AT_MOST)
    assert disk.lines == [str(n) for n in range(10)]
    assert writer.dropped == 0


def test_a_line_of_which_a_part_was_written_is_completed() -> None:
    disk = Output()
    errors = iter([True, False] * 1_000)

    def write(data: memoryview) -> int:
        if next(errors):
            raise BlockingIOError
        return disk.take(data[:3])

    disk.behave = write
    writer = LogWriter(disk.write)
    writer.put("a long line")
    assert writer.flush(AT_MOST)
    assert disk.lines == ["a long line"]


@pytest.mark.parametrize("error", [ValueError("closed file"), MemoryError()])
def test_the_writer_survives_what_it_does_not_expect(error: Exception) -> None:
    output = Output()

    def write(data: memoryview) -> int:
        output.behave = output.take
        raise error

    output.behave = write
    writer = LogWriter(output.write)
    writer.put("lost")
    assert writer.flush(AT_MOST)
    writer.put("next")
    assert writer.flush(AT_MOST)
    assert output.lines[0] == "next"
    assert json.loads(output.lines[1])["count"] == 1
