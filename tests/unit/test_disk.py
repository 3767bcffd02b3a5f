"""Folders that calls are written to: what is wrong with them is told, once, and keeps no call away."""

import asyncio
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from engine import disk
from engine.disk import DiskWatch, Folder, look_at
from engine.metrics import EngineMetrics

SPOOL = Folder(Path("/spool"), writable=True, free_bytes=50 * 10**9)
AT_MOST = 10.0  # s that a test waits for the watch


@pytest.mark.parametrize(
    ("folder", "words"),
    [
        (replace(SPOOL, free_bytes=None), "/spool is missing; create it"),
        (replace(SPOOL, writable=False), "/spool cannot be written"),
        (replace(SPOOL, free_bytes=1_940_000_000), "/spool has 1.9 GB free, less than 2.0 GB"),
        (SPOOL, ""),
    ],
)
def test_what_is_wrong_is_told_with_the_remedy(folder: Folder, words: str) -> None:
    assert folder.trouble.startswith(words)
    assert (folder.trouble == "") == (words == "")


def test_a_folder_is_looked_at(tmp_path: Path) -> None:
    assert look_at(tmp_path).writable
    assert look_at(tmp_path).free_bytes
    assert look_at(tmp_path / "gone") == Folder(tmp_path / "gone", writable=False, free_bytes=None)


class Disk:
    """A disk that a test fills and empties."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = SPOOL
        self.answers = threading.Event()
        self.answers.set()
        self.looks = 0
        monkeypatch.setattr(disk, "look_at", self.look_at)

    def look_at(self, path: Path) -> Folder:
        assert self.answers.wait(AT_MOST)
        self.looks += 1
        return self.folder


async def looked(there: Disk, times: int = 2) -> None:
    before = there.looks
    async with asyncio.timeout(AT_MOST):
        while there.looks < before + times:  # noqa: ASYNC110 - a thread looks
            await asyncio.sleep(0.001)


async def test_a_disk_that_fills_is_told_of_once_and_once_that_it_recovered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    there, metrics = Disk(monkeypatch), EngineMetrics()
    watch = DiskWatch({"state": Path("/spool")}, metrics)
    with capture_logs() as told:
        watching = asyncio.create_task(watch.run(every=0.002))
        await looked(there)
        assert (watch.warnings, told) == ([], [])
        there.folder = replace(SPOOL, free_bytes=7)
        await looked(there)
        assert watch.warnings == [there.folder.trouble]
        assert metrics.registry.get_sample_value("callengine_disk_free_bytes", {"folder": "state"}) == 7
        there.folder = SPOOL
        await looked(there)
        assert watch.warnings == []
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
    assert [line["event"] for line in told] == ["disk_troubled", "disk_recovered"]


async def test_a_disk_that_hangs_is_told_of_and_holds_up_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    there = Disk(monkeypatch)
    watch = DiskWatch({"state": Path("/spool")}, EngineMetrics())
    watching = asyncio.create_task(watch.run(every=0.002))
    there.answers.clear()
    async with asyncio.timeout(AT_MOST):
        while watch.warnings != ["/spool does not answer; check the disk"]:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.001)
    there.answers.set()
    await looked(there)
    assert watch.warnings == []
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching
