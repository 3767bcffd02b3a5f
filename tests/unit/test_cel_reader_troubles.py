"""The CEL reader where something fails that it does not expect, and on a disk that becomes full."""

import asyncio
import errno
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from engine.ari import cel_room, cel_watch
from engine.ari.cel_marks import Marks
from engine.ari.cel_source import Source
from tests.unit.cel_files import Taker, cel_below, hurry, lines, reading, until, write


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)
    monkeypatch.setattr(cel_room, "RETRY_SECONDS", 0.0)


@pytest.fixture
def cel(tmp_path: Path) -> Path:
    return cel_below(tmp_path)


async def test_a_thread_that_dies_ends_the_reader_loudly(cel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So the engine ends, and the next one reads on; else no call would ever have a record again."""
    taker = Taker(cel)
    monkeypatch.setattr(cel_watch.FolderWatch, "wait", lambda self, seconds: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(taker.reader.run(), 5)


async def test_a_position_that_nobody_can_be_asked_to_store_ends_nothing(
    cel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def submit(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    write(cel, 1)
    monkeypatch.setattr(ThreadPoolExecutor, "submit", submit)
    async with reading(cel) as taker:
        write(cel, 2)
        await taker.until(1, 2)


@pytest.mark.parametrize("size", [0, 10])
async def test_a_copy_that_is_made_while_it_is_looked_at_is_not_taken_again(
    cel: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    copy, look = cel.with_name("Master.csv.bak"), Marks.is_shorter_copy

    def look_before_it_is_whole(marks: Marks, source: Source) -> bool:
        is_copy = look(marks, source)
        shutil.copyfile(cel, copy)
        return is_copy

    async with reading(cel) as taker:
        write(cel, 1, 2)
        await taker.until(1, 2)
        monkeypatch.setattr(Marks, "is_shorter_copy", look_before_it_is_whole)
        copy.write_bytes(lines(1, 2).encode()[:size])
        await until(lambda: copy.stat().st_size > size)
        await taker.reader.drained()
        assert taker.numbers == [1, 2]


async def test_while_the_disk_is_full_it_reads_on_in_the_same_file(
    cel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(fd: int, offset: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    write(cel, 1)
    async with reading(cel, max_bytes=100) as taker:
        await until(lambda: taker.reader.headroom > cel_room.LEAST_BYTES)
        with monkeypatch.context() as disk:
            disk.setattr(cel_room, "_allocate", full)
            for number in range(2, 22):
                write(cel, number)
                await until(lambda number=number: number in taker.numbers)  # type: ignore[misc]
            # Rotated once before it was full; each further attempt removes the file that it made.
            await until(lambda: len(list(cel.parent.iterdir())) <= 2)
        await until(lambda: cel.stat().st_size == 0)
        write(cel, 22)
        await taker.until(*range(1, 23))
