"""The CEL reader and rotation: a file is renamed, copied, truncated or packed, no line is lost or doubled."""

import asyncio
import gzip
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.ari import cel_file
from engine.ari.cel_marks import Marks
from engine.ari.cel_source import GzipSource
from tests.unit.cel_files import (
    cel_below,
    copied_and_truncated,
    copied_truncated_and_gzipped,
    gzipped,
    hurry,
    kept,
    line,
    lines,
    reading,
    removed,
    renamed,
    renamed_and_gzipped,
    renamed_by_date,
    taken,
    until,
    write,
    written_anew,
)


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)


@pytest.fixture
def cel(tmp_path: Path) -> Path:
    return cel_below(tmp_path)


ROTATIONS = [
    renamed,
    renamed_by_date,
    copied_and_truncated,
    renamed_and_gzipped,
    copied_truncated_and_gzipped,
]


@pytest.mark.parametrize("rotated", ROTATIONS)
async def test_nothing_is_lost_or_doubled_by_a_rotation_while_nobody_reads(
    cel: Path, rotated: Callable[[Path], None]
) -> None:
    write(cel, 1, 2, 3)
    assert await taken(cel) == [1, 2, 3]
    write(cel, 4, 5)
    rotated(cel)
    write(cel, 6)
    assert await taken(cel) == [4, 5, 6]
    assert await taken(cel) == []


@pytest.mark.parametrize("rotated", ROTATIONS)
@pytest.mark.parametrize("more", [0, 40])
async def test_nothing_is_lost_or_doubled_by_a_rotation_while_reading(
    cel: Path, rotated: Callable[[Path], None], more: int
) -> None:
    """Also if the new file outgrows the old one before the reader looks again."""
    async with reading(cel) as taker:
        write(cel, 1, 2)
        await taker.until(1, 2)
        write(cel, 3)
        rotated(cel)
        write(cel, 4, *range(5, 5 + more))
        await taker.until(1, 2, 3, 4, *range(5, 5 + more))
        write(cel, 99)
        await taker.until(1, 2, 3, 4, *range(5, 5 + more), 99)
    assert await taken(cel) == []


async def test_every_file_of_a_long_absence_is_taken_in_order(cel: Path) -> None:
    for number in range(3, 0, -1):
        write(cel, 10 * number, 10 * number + 1)
        renamed(cel, f"Master.csv.{number}")
        os.utime(cel.with_name(f"Master.csv.{number}"), (9000 - number, 9000 - number))
    gzipped(cel.with_name("Master.csv.3"))
    write(cel, 1)
    assert await taken(cel) == [30, 31, 20, 21, 10, 11, 1]


async def test_a_file_that_is_removed_while_it_is_open_is_read_to_its_end(cel: Path) -> None:
    async with reading(cel) as taker:
        write(cel, 1)
        await taker.until(1)
        write(cel, 2)
        removed(cel)
        write(cel, 3)
        await taker.until(1, 2, 3)


async def test_a_file_that_is_written_anew_is_read_from_its_beginning(cel: Path) -> None:
    async with reading(cel) as taker:
        write(cel, 1, 2)
        await taker.until(1, 2)
        written_anew(cel, 3)
        await taker.until(1, 2, 3)
        written_anew(cel, 4, 5)
        await taker.until(1, 2, 3, 4, 5)
    written_anew(cel, 6, 7, 8)
    assert await taken(cel) == [6, 7, 8]


async def test_a_copy_of_what_was_taken_is_not_taken_again(cel: Path) -> None:
    async with reading(cel) as taker:
        write(cel, 1, 2)
        await taker.until(1, 2)
        shutil.copyfile(cel, cel.with_name("Master.csv.bak"))
        await taker.reader.drained()
        write(cel, 3)
        await taker.until(1, 2, 3)
    assert await taken(cel) == []


async def test_a_copy_that_is_found_once_more_was_taken_is_not_taken_again(cel: Path) -> None:
    write(cel, 1, 2)
    shutil.copyfile(cel, cel.with_name("Master.csv.bak"))
    os.utime(cel.with_name("Master.csv.bak"), (0, 0))
    shutil.move(cel.with_name("Master.csv.bak"), cel.parent.parent / "elsewhere")
    write(cel, 3)
    assert await taken(cel) == [1, 2, 3]
    shutil.move(cel.parent.parent / "elsewhere", cel.with_name("Master.csv.bak"))
    assert await taken(cel) == []


async def test_of_a_damaged_gzip_file_everything_before_the_damage_is_taken(cel: Path) -> None:
    write(cel, *range(2000))
    renamed_and_gzipped(cel)
    packed = cel.with_name("Master.csv.1.gz")
    packed.write_bytes(packed.read_bytes()[:-3000])
    os.utime(packed, (9000, 9000))
    write(cel, 5000)
    async with reading(cel) as taker:
        assert len(taker.numbers) > 1000
        assert taker.numbers == [*range(len(taker.numbers) - 1), 5000]


async def test_gzip_files_of_several_members_are_read_whole(cel: Path) -> None:
    cel.with_name("Master.csv.1.gz").write_bytes(
        gzip.compress(lines(1, 2).encode()) + gzip.compress(lines(3).encode())
    )
    os.utime(cel.with_name("Master.csv.1.gz"), (9000, 9000))
    assert await taken(cel) == [1, 2, 3]


async def test_a_gzip_file_is_unpacked_once(cel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[GzipSource] = []
    begin = GzipSource._begin

    def noted(self: GzipSource) -> None:
        begun.append(self)
        begin(self)

    monkeypatch.setattr(GzipSource, "_begin", noted)
    write(cel, *range(5000))
    renamed_and_gzipped(cel)
    os.utime(cel.with_name("Master.csv.1.gz"), (9000, 9000))
    assert await taken(cel) == [*range(5000)]
    assert len(begun) == 1


# Its own rotation.


async def test_a_large_file_is_renamed_and_removed_when_it_is_old(cel: Path) -> None:
    async with reading(cel, max_bytes=1000, keep_seconds=60) as taker:
        for number in range(40):
            write(cel, number)
            await until(lambda number=number: number in taker.numbers)  # type: ignore[misc]
        assert taker.numbers == [*range(40)]
        await until(lambda: not cel.exists() or cel.stat().st_size <= 1000)
        rotated = sorted(path.name for path in cel.parent.iterdir() if path != cel)
        assert len(rotated) > 2
        assert "Master.csv.1" in rotated
        os.utime(cel.with_name("Master.csv.1"), (9000, 9000))
        await until(lambda: not cel.with_name("Master.csv.1").exists())
        assert cel.with_name("Master.csv.2").exists()


async def test_lines_that_come_while_it_renames_are_taken_once_and_in_order(cel: Path) -> None:
    def store() -> int:
        number = 0
        while number < 50_000 and (number % 100 or len([*cel.parent.iterdir()]) < 5):
            write(cel, number)
            number += 1
        return number

    async with reading(cel, max_bytes=5_000) as taker:
        stored = await asyncio.to_thread(store)
        await asyncio.wait_for(taker.reader.drained(), 5)
        assert taker.numbers == [*range(stored)]
        assert stored < 50_000


async def test_an_old_file_stays_until_it_has_been_taken(cel: Path) -> None:
    write(cel, 1)
    renamed(cel)
    os.utime(cel.with_name("Master.csv.1"), (9000, 9000))
    async with reading(cel, keep_seconds=3600) as taker:
        assert taker.numbers == [1]
        await until(lambda: not cel.with_name("Master.csv.1").exists())


async def test_files_of_other_names_are_left_alone(cel: Path) -> None:
    for name in ("Master.csv.bak", "Other.csv.1", "Master.csv2"):
        cel.with_name(name).write_text(line(7))
        os.utime(cel.with_name(name), (9000, 9000))
    write(cel, 1)
    renamed(cel)
    os.utime(cel.with_name("Master.csv.1"), (9000, 9000))
    async with reading(cel, keep_seconds=3600):
        await until(lambda: not cel.with_name("Master.csv.1").exists())
    left = {path.name for path in cel.parent.iterdir()}
    assert left == {"Master.csv", "Master.csv.bak", "Other.csv.1", "Master.csv2"}


def test_marks_of_contents_that_are_gone_are_forgotten(cel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cel_file, "FORGOTTEN_SECONDS", -1.0)
    marks = Marks(kept(cel))
    files = cel_file.CelFiles(cel, marks, 1 << 20, 60)
    for number in range(3):
        cel.write_text(line(number))
        for batch in files.unread(everywhere=True):
            files.take(batch)
    for _ in files.unread(everywhere=True):
        pass
    files.close()
    assert [mark.offset for mark in marks] == [len(line(2))]
