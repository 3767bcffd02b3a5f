"""The journal on a disk that fails, and with a thread that meets what it does not expect."""

import asyncio
import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from journal import folder, thread
from journal.codec import kind_of
from journal.entries import Answered
from journal.reader import read
from journal.reserve import allocate
from journal.segment import Segment, segment_name, segments, used
from journal.writer import JournalFailed
from tests.unit.faulty_disk import AT_MOST, SEGMENT, begun, failing, quick_retries, until
from tests.unit.journals import AT, checkpoint, ended, opened, over, started, written

__all__ = ["quick_retries"]


@pytest.mark.parametrize("broken", ["fdatasync", "pwrite"])
async def test_after_a_failed_sync_everything_is_written_again_in_a_new_segment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    async with opened(tmp_path) as journal:
        await journal.append(started("a"))
        failing(monkeypatch, broken, lambda nth: nth == 1)
        await journal.append(Answered("a", AT))
        assert not journal.degraded
        await journal.append(over("a"))
    assert len(segments(tmp_path)) == 2
    (call,) = ended(tmp_path)
    assert [kind_of(fact) for fact in call] == ["call_start", "answered", "call_end"]


async def test_a_dead_disk_degrades_the_journal_but_lets_the_calls_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path) as journal:
        with monkeypatch.context() as disk:
            failing(disk, "fdatasync", lambda nth: True)
            failing(disk, "fsync", lambda nth: True)
            await journal.append(started("a"))
            assert journal.degraded
            assert journal.append(Answered("a", AT)).done()
            assert journal.lag > 0
    assert not journal.degraded  # the disk was back before the journal closed
    assert [kind_of(fact) for fact in written(tmp_path)][-2:] == ["call_start", "answered"]


async def test_write_errors_leave_no_preallocation_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path, SEGMENT) as journal:
        failing(monkeypatch, "fdatasync", lambda nth: nth % 2 == 1)
        for n in range(128):
            await journal.append(started(str(n)))
        assert len(segments(tmp_path)) == 129
        *poisoned, current = segments(tmp_path)
        assert all(path.stat().st_size == used(path) < SEGMENT for path in poisoned)
        assert current.stat().st_size == SEGMENT
    assert [entry.call for entry in begun(tmp_path)] == [str(n) for n in range(128)]


async def test_a_disk_that_fails_for_long_is_not_filled_by_trying(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """New segments can be made, but nothing in them ever becomes durable."""
    tries = 0

    def never(fd: int) -> None:
        nonlocal tries
        tries += 1
        raise OSError(errno.EIO, "Input/output error")

    async with opened(tmp_path, SEGMENT) as journal:
        with monkeypatch.context() as disk:
            disk.setattr(os, "fdatasync", never)
            await journal.append(started("a"))
            await until(lambda: tries > 50)
            assert len(segments(tmp_path)) <= 4
        await until(lambda: not journal.degraded)
    assert [entry.call for entry in begun(tmp_path)] == ["a"]


@pytest.mark.parametrize("broken", ["fdatasync", "pwrite"])
async def test_entries_that_are_written_again_count_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    """The segment that failed has the beginnings of a and b; the next has them too, behind its checkpoint."""
    write = os.pwrite
    short = iter([True])

    def torn(fd: int, data: memoryview, at: int) -> int:
        if next(short, False):
            return write(fd, data[:-5], at)
        monkeypatch.setattr(os, "pwrite", write)
        raise OSError(errno.ENOSPC, "No space left on device")

    async with opened(tmp_path) as journal:
        await journal.append(started("c"))
        if broken == "pwrite":
            monkeypatch.setattr(os, "pwrite", torn)
        else:
            failing(monkeypatch, "fdatasync", lambda nth: nth == 1)
        journal.append(started("a"))
        await journal.append(started("b"))
        for call in ("a", "b", "c"):
            await journal.append(over(call))
    assert ended(tmp_path) == [[started(call), over(call)] for call in ("a", "b", "c")]


# A thread that meets what it does not expect


async def test_an_error_that_is_not_of_the_disk_degrades_the_journal_until_it_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path) as journal:
        with monkeypatch.context() as broken:
            broken.setattr(folder.JournalFolder, "write", lambda self, group: 1 / 0)
            await journal.append(started("a"))
            assert journal.degraded
        await until(lambda: not journal.degraded)
        await journal.append(over("a"))
    assert [kind_of(fact) for fact in written(tmp_path)] == ["call_start", "call_end"]


async def test_a_thread_that_dies_ends_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(tmp_path) as journal:
        monkeypatch.setattr(thread.JournalThread, "_add", lambda self, group: 1 / 0)
        journal.append(started("a"))
        with pytest.raises(JournalFailed, match="ZeroDivisionError"):
            await asyncio.wait_for(journal.died(), AT_MOST)


@pytest.fixture
def log_that_raises() -> Iterator[None]:
    def fail(*_: object) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    structlog.configure(processors=[fail])
    yield
    structlog.reset_defaults()


@pytest.mark.usefixtures("log_that_raises")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_what_is_logged_of_a_failing_disk_is_true_already(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log of the engine never raises. If it did: who waits is told, and the process ends loudly."""
    async with opened(tmp_path, SEGMENT) as journal:
        failing(monkeypatch, "pwrite", lambda nth: True)
        durable = asyncio.ensure_future(journal.append(started("a")))
        with pytest.raises(JournalFailed, match="No space left"):
            await asyncio.wait_for(journal.died(), AT_MOST)
        assert (journal.degraded, durable.done()) == (True, True)


# A crash


async def test_a_crash_loop_gives_back_what_it_preallocated(tmp_path: Path) -> None:
    path = tmp_path / segment_name(7, 1)
    os.close(Segment.create(path, checkpoint(), lambda draft: allocate(draft, 2**20))._fd)
    draft = tmp_path / f"{segment_name(7, 2)}.draft"
    draft.write_bytes(b"half")
    async with opened(tmp_path, SEGMENT):
        assert path.stat().st_size == used(path) == read(path).next_offset < 200
        assert not draft.exists()
