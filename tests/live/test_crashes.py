"""The harness itself: an Asterisk that crashes is reported, also if the test starts it again."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from devkit.asterisk import Asterisk, Options, start_asterisk
from tests.live.crashes import PATTERN, Crashes, watched


@pytest.fixture
def crashes() -> Iterator[Crashes]:
    """Of this test alone: the crash that it causes is not one of the run."""
    with watched() as it:
        yield it


def started(folder: Path) -> Asterisk:
    asterisk = start_asterisk(folder, Options("127.0.0.1:9"))
    asterisk.wait_until_ready()
    return asterisk


def test_a_crash_is_reported_once_with_log_and_core_though_asterisk_runs_again(
    crashes: Crashes, tmp_path: Path
) -> None:
    with started(tmp_path) as asterisk:
        crashed = asterisk.pid
        asterisk.process.send_signal(signal.SIGSEGV)
        asterisk.process.wait()
        asterisk.restart()
        asterisk.wait_until_ready()
        (report,) = crashes.new()
        assert f"Asterisk (process {crashed}) ended by SIGSEGV" in report
        assert crashes.new() == []
        assert asterisk.is_running
    kept = Path(report.partition("Kept in ")[2].partition(":")[0])
    try:
        names = {file.name.partition(".")[0] for file in kept.iterdir()}
        assert {"messages", "console"} <= names
        if PATTERN.read_text().strip() == "core":  # the kernel leaves cores in the working directory
            assert "core" in names
    finally:
        for file in kept.iterdir():
            file.unlink()
        kept.rmdir()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_an_asterisk_that_a_test_ends_has_not_crashed(
    crashes: Crashes, tmp_path: Path, how: signal.Signals
) -> None:
    with started(tmp_path) as asterisk:
        asterisk.process.send_signal(how)
        asterisk.process.wait()
        asterisk.restart()
        asterisk.wait_until_ready()
    assert crashes.new() == []
