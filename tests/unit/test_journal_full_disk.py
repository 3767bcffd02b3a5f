"""The journal on a full disk: it goes on in its reserve, starts, and loses nothing once there is room."""

import errno
import os
from pathlib import Path

import pytest

from journal import folder
from journal.checkpoint import Checkpoint
from journal.codec import kind_of
from journal.reader import read
from journal.recovery import recover
from journal.reserve import NAME
from journal.segment import segment_name, segments
from journal.writer import Journal
from tests.unit.faulty_disk import SEGMENT, begun, fill, quick_retries, until
from tests.unit.journals import ended, opened, over, started, whole, written

__all__ = ["quick_retries"]


async def test_on_a_full_disk_the_journal_goes_on_in_its_reserve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path, SEGMENT) as journal:
        assert journal.reserve > SEGMENT
        fill(monkeypatch)
        n = 0
        while journal.reserve > SEGMENT // 2:  # the first segment is full, the second half full
            await journal.append(over(str(n)))
            n += 1
        assert not journal.degraded
        assert len(segments(tmp_path)) == 2
    assert len(written(tmp_path)) == n


async def test_on_a_full_disk_the_last_segment_has_no_checkpoint_but_its_first_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is left of the disk is for calls."""
    monkeypatch.setattr(folder, "CHECKPOINT_SECONDS", 0.0)
    async with opened(tmp_path, SEGMENT) as journal:
        fill(monkeypatch)
        n = 0
        while len(segments(tmp_path)) < 2 or journal.reserve > SEGMENT // 2:
            await journal.append(over(str(n)))
            n += 1
        first, last = map(checkpoints, segments(tmp_path))
    assert first > 1
    assert last == 1


def checkpoints(path: Path) -> int:
    return sum(isinstance(record.entry, Checkpoint) for record in read(path).records)


async def test_when_the_reserve_is_used_up_calls_go_on_and_nothing_is_lost_once_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path, SEGMENT) as journal:
        with monkeypatch.context() as disk:
            fill(disk)
            n = 0
            while not journal.degraded:
                await journal.append(over(str(n)))
                n += 1
            assert journal.append(over("more")).done()
        await until(lambda: not journal.degraded and journal.reserve > SEGMENT)  # the reserve is there again
    assert [fact.call for fact in written(tmp_path)] == [*(str(it) for it in range(n)), "more"]


async def test_an_engine_starts_on_a_full_disk_by_the_reserve_of_its_predecessor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path, SEGMENT) as journal:
        await journal.append(started("a"))
    fill(monkeypatch)
    async with opened(tmp_path, SEGMENT) as successor:
        assert not successor.degraded
        await successor.append(over("a"))
    assert [kind_of(fact) for fact in written(tmp_path)] == ["call_start", "call_end"]


async def test_an_engine_starts_on_a_full_disk_without_any_reserve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Degraded, as a running one would be: it knows the open calls, and loses nothing once there is room."""
    async with opened(tmp_path, SEGMENT) as journal:
        await journal.append(started("a"))
    (tmp_path / NAME).unlink()
    with monkeypatch.context() as disk:
        fill(disk)
        successor = await Journal.open(tmp_path, "here", SEGMENT)
        assert successor.degraded
        assert list(successor.open_calls) == ["a"]
        assert successor.append(over("a")).done()
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
        await journal.append(started("a"))
        assert not journal.degraded
        (path,) = segments(tmp_path)
        assert path.stat().st_size == 4 * 2**16


async def test_a_folder_that_cannot_be_read_is_opened_as_soon_as_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the engine before has left open is not forgotten, though this one does not go on with it."""
    async with opened(tmp_path, SEGMENT) as journal:
        await journal.append(started("former"))
    with monkeypatch.context() as disk:
        disk.setattr(folder, "recover", lambda directory: (_ for _ in ()).throw(OSError(errno.EIO, "EIO")))
        successor = await Journal.open(tmp_path, "here", SEGMENT)
        assert successor.degraded
        assert successor.open_calls == {}
        assert successor.append(started("new")).done()
    await until(lambda: not successor.degraded)
    await successor.close()
    assert [entry.call for entry in begun(tmp_path)] == ["former", "new"]


async def test_on_a_full_disk_an_engine_goes_on_in_the_segment_that_its_predecessor_has_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given back at its end, others would have it before the successor has started."""
    async with opened(tmp_path, SEGMENT) as journal:
        journal.append(started("a"))
    (path,) = segments(tmp_path)
    assert path.stat().st_size < SEGMENT
    fill(monkeypatch)
    async with opened(tmp_path, SEGMENT) as journal:  # in the reserve; there is none behind it
        journal.append(started("b"))
    for call in ("c", "d"):
        async with opened(tmp_path, SEGMENT) as journal:
            assert {"a", "b"} <= set(journal.open_calls)
            assert not journal.degraded
            journal.append(started(call))
    assert [path.stat().st_size for path in segments(tmp_path)][1:] == [SEGMENT]
    assert [entry.call for entry in written(tmp_path)] == ["a", "b", "c", "d"]
    assert len(recover(tmp_path).open_calls) == 4


async def test_it_goes_on_behind_what_a_crash_has_torn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / segment_name(7, 1)
    path.write_bytes(whole()[:-105] + bytes(SEGMENT))  # the last record, a's end, is torn
    fill(monkeypatch)
    async with opened(tmp_path, SEGMENT) as journal:
        assert not journal.degraded
        journal.append(over("b"))
    assert segments(tmp_path) == [path]
    assert [kind_of(entry) for entry in written(tmp_path)][-1] == "call_end"
    assert list(recover(tmp_path).open_calls) == ["a"]
