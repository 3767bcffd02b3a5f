"""The reports of a process to systemd; a socket of the test stands for systemd."""

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from process.metrics import Metrics, watch_loop
from process.systemd import is_journal, notify, reported_to_systemd

type Heard = list[str]


class Systemd:
    """A datagram socket that is read without waiting."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address)
        self._socket.setblocking(False)

    def heard(self) -> Heard:
        heard: Heard = []
        with suppress(BlockingIOError):
            while True:
                heard.append(self._socket.recv(100).decode())
        return heard

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Systemd]:
    """The end of $NOTIFY_SOCKET, for a unit with WatchdogSec=3."""
    address = str(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    monkeypatch.setenv("WATCHDOG_USEC", "3000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    end = Systemd(address)
    yield end
    end.close()


@pytest.mark.looptime
async def test_a_process_reports_ready_then_three_times_per_watchdog_time_then_stopping(
    systemd: Systemd,
) -> None:
    loop = asyncio.get_running_loop()
    with reported_to_systemd(loop.time) as is_alive:
        for _ in range(60):
            is_alive()
            await asyncio.sleep(0.1)
    assert systemd.heard() == ["READY=1", *["WATCHDOG=1"] * 6, "STOPPING=1"]


async def test_the_watch_over_the_event_loop_reports(systemd: Systemd) -> None:
    watch = asyncio.create_task(watch_loop(Metrics(), every=0.01))
    await asyncio.sleep(0.05)
    assert systemd.heard() == ["READY=1", "WATCHDOG=1"]
    watch.cancel()
    with suppress(asyncio.CancelledError):
        await watch
    assert systemd.heard() == ["STOPPING=1"]


def test_without_a_watchdog_only_ready_and_stopping_are_reported(
    systemd: Systemd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WATCHDOG_USEC")
    with reported_to_systemd() as is_alive:
        is_alive()
    assert systemd.heard() == ["READY=1", "STOPPING=1"]


def test_a_watchdog_of_another_process_is_ignored(systemd: Systemd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_PID", "1")
    with reported_to_systemd() as is_alive:
        is_alive()
    assert "WATCHDOG=1" not in systemd.heard()


def test_an_abstract_address_is_reached_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    abstract = f"callengine-test-{os.getpid()}-{tmp_path.name}"
    end = Systemd(f"\0{abstract}")
    monkeypatch.setenv("NOTIFY_SOCKET", f"@{abstract}")
    notify("READY=1")
    assert end.heard() == ["READY=1"]
    end.close()


@pytest.mark.parametrize("address", ["", "/nowhere/notify"])
def test_nothing_is_raised_when_nobody_listens(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    notify("READY=1")


def test_a_systemd_that_does_not_read_blocks_nothing(systemd: Systemd) -> None:
    for _ in range(10_000):
        notify("WATCHDOG=1")
    assert systemd.heard()


def test_journald_is_recognised_by_the_socket_that_systemd_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "log").open("w") as log:
        stat = os.fstat(log.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{stat.st_dev}:{stat.st_ino}")
        assert is_journal(log.fileno())
        assert not is_journal(0)
    assert not is_journal(99_999)
