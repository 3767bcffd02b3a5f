"""The journal on a disk that fails or is full, and with a thread that meets what it does not expect."""

import asyncio
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from journal import book, scribe
from journal.codec import kind_of
from journal.entries import Answered, Entry
from journal.reader import read
from journal.recovery import recover
from journal.reserve import NAME, allocate
from journal.segment import Segment, segment_name, segments, used
from journal.writer import Journal, JournalFailed
from tests.unit.journals import AT, checkpoint, ended, opened, over, started, written

SEGMENT = 2**16
AT_MOST = 10.0  # s that a test waits for the journal's thread


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """A degraded journal tries again at once: nobody waits in a test."""
    monkeypatch.setattr(scribe, "RETRY_SECONDS", 0.005)
    monkeypatch.setattr(book, "RESERVE_RETRY_SECONDS", 0.01)


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


def allocated(directory: Path) -> int:
    """Bytes of the disk that the folder's files take."""
    return sum(file.stat().st_blocks * 512 for file in directory.iterdir())


@pytest.mark.parametrize("broken", ["fdatasync", "pwrite"])
async def test_after_a_failed_sync_everything_is_written_again_in_a_new_segment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    async with opened(tmp_path) as journal:
        await journal.note(started("a"))
        failing(monkeypatch, broken, lambda nth: nth == 1)
        await journal.note(Answered("a", AT))
        assert not journal.degraded
        await journal.note(over("a"))
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
            await journal.note(started("a"))
            assert journal.degraded
            assert journal.note(Answered("a", AT)).done()
            assert journal.lag > 0
    assert not journal.degraded  # the disk was back before the journal closed
    assert [kind_of(fact) for fact in written(tmp_path)][-2:] == ["call_start", "answered"]


async def test_write_errors_leave_no_preallocation_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path, SEGMENT) as journal:
        failing(monkeypatch, "fdatasync", lambda nth: nth % 2 == 1)
        for n in range(128):
            await journal.note(started(str(n)))
        assert len(segments(tmp_path)) == 129
        *poisoned, current = segments(tmp_path)
        assert all(path.stat().st_size == used(path) < SEGMENT for path in poisoned)
        assert current.stat().st_size == SEGMENT
    assert [entry.call for entry in ended_or_open(tmp_path)] == [str(n) for n in range(128)]


def ended_or_open(directory: Path) -> list[Entry]:
    return [found.entries[0] for found in recover(directory).open_calls.values()]


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
            await journal.note(started("a"))
            await until(lambda: tries > 50)
            assert len(segments(tmp_path)) <= 4
        await until(lambda: not journal.degraded)
    assert [entry.call for entry in ended_or_open(tmp_path)] == ["a"]


# A full disk


async def test_on_a_full_disk_the_journal_goes_on_in_its_reserve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path, SEGMENT) as journal:
        assert journal.reserve > SEGMENT
        fill(monkeypatch)
        n = 0
        while journal.reserve > SEGMENT // 2:  # the first segment is full, the second half full
            await journal.note(over(str(n)))
            n += 1
        assert not journal.degraded
        assert len(segments(tmp_path)) == 2
    assert len(written(tmp_path)) == n


async def test_when_the_reserve_is_used_up_calls_go_on_and_nothing_is_lost_once_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path, SEGMENT) as journal:
        with monkeypatch.context() as disk:
            fill(disk)
            n = 0
            while not journal.degraded:
                await journal.note(over(str(n)))
                n += 1
            assert journal.note(over("more")).done()
        await until(lambda: not journal.degraded)
        assert journal.reserve > SEGMENT, "the reserve is there again"
    assert [fact.call for fact in written(tmp_path)] == [*(str(it) for it in range(n)), "more"]


async def test_an_engine_starts_on_a_full_disk_by_the_reserve_of_its_predecessor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path, SEGMENT) as journal:
        await journal.note(started("a"))
    fill(monkeypatch)
    async with opened(tmp_path, SEGMENT) as successor:
        assert not successor.degraded
        await successor.note(over("a"))
    assert [kind_of(fact) for fact in written(tmp_path)] == ["call_start", "call_end"]


async def test_an_engine_starts_on_a_full_disk_without_any_reserve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Degraded, as a running one would be: it knows the open calls, and loses nothing once there is room."""
    async with opened(tmp_path, SEGMENT) as journal:
        await journal.note(started("a"))
    (tmp_path / NAME).unlink()
    with monkeypatch.context() as disk:
        fill(disk)
        successor = await Journal.open(tmp_path, "here", SEGMENT)
        assert successor.degraded
        assert list(successor.open_calls) == ["a"]
        assert successor.note(over("a")).done()
        assert [name for name in os.listdir(tmp_path) if name.endswith(".draft")] == []
    await until(lambda: not successor.degraded)
    await successor.close()
    assert [[kind_of(fact) for fact in call] for call in ended(tmp_path)] == [["call_start", "call_end"]]


async def test_an_engine_without_calls_finds_out_that_there_is_room_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as disk:
        fill(disk)
        journal = await Journal.open(tmp_path, "here", SEGMENT)
        assert journal.degraded
    await until(lambda: not journal.degraded)
    await journal.close()


async def test_a_disk_that_is_nearly_full_gives_a_smaller_segment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = 5 * 2**16
    real = os.posix_fallocate

    def nearly_full(fd: int, offset: int, length: int) -> None:
        if length > room:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(fd, offset, length)

    monkeypatch.setattr(os, "posix_fallocate", nearly_full)
    async with opened(tmp_path, 16 * 2**16) as journal:
        await journal.note(started("a"))
        assert not journal.degraded
        (path,) = segments(tmp_path)
        assert path.stat().st_size == 4 * 2**16


async def test_a_folder_that_cannot_be_read_is_opened_as_soon_as_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the engine before has left open is not forgotten, though this one does not go on with it."""
    async with opened(tmp_path, SEGMENT) as journal:
        await journal.note(started("former"))
    with monkeypatch.context() as disk:
        disk.setattr(book, "recover", lambda directory: (_ for _ in ()).throw(OSError(errno.EIO, "EIO")))
        successor = await Journal.open(tmp_path, "here", SEGMENT)
        assert successor.degraded
        assert successor.open_calls == {}
        assert successor.note(started("new")).done()
    await until(lambda: not successor.degraded)
    await successor.close()
    assert [entry.call for entry in ended_or_open(tmp_path)] == ["former", "new"]


# A thread that meets what it does not expect


async def test_an_error_that_is_not_of_the_disk_degrades_the_journal_until_it_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path) as journal:
        with monkeypatch.context() as broken:
            broken.setattr(book.Book, "write", lambda self, group: 1 / 0)
            await journal.note(started("a"))
            assert journal.degraded
        await until(lambda: not journal.degraded)
        await journal.note(over("a"))
    assert [kind_of(fact) for fact in written(tmp_path)] == ["call_start", "call_end"]


async def test_a_thread_that_dies_ends_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(tmp_path) as journal:
        monkeypatch.setattr(scribe.Scribe, "_keep", lambda self, group: 1 / 0)
        journal.note(started("a"))
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
        durable = asyncio.ensure_future(journal.note(started("a")))
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


async def test_on_a_full_disk_an_engine_leaves_to_its_successor_what_it_has_allocated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given back at its end, others would have it before the successor has started."""
    async with opened(tmp_path, SEGMENT):
        pass
    (path,) = segments(tmp_path)
    assert path.stat().st_size < SEGMENT
    fill(monkeypatch)
    async with opened(tmp_path, SEGMENT):  # in the reserve; there is none behind it
        pass
    assert [path.stat().st_size for path in segments(tmp_path)][1:] == [SEGMENT]
