"""The CEL reader on real files: whatever is rotated, cut or damaged, each event is taken, in order."""

import asyncio
import gzip
import json
import os
import resource
import shutil
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from engine.ari import cel_file, cel_reader, cel_watch
from engine.ari.cel import CelEvent
from engine.ari.cel_marks import Marks
from engine.ari.cel_reader import CelReader
from engine.ari.cel_source import GzipSource


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cel_reader, "LOOK_EVERYWHERE_SECONDS", 0.02)
    monkeypatch.setattr(cel_reader, "SAVE_SECONDS", 0.02)
    monkeypatch.setattr(cel_reader, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(cel_file, "SETTLED_SECONDS", 0.1)


@pytest.fixture
def cel(tmp_path: Path) -> Path:
    (tmp_path / "cel").mkdir()
    return tmp_path / "cel" / "Master.csv"


def line(number: int) -> str:
    """A user event with a number, and a time of its own."""
    at = f"{1795819594 + number // 1000}.{number % 1000:06}"
    extra = f"""{{""extra"":""n={number} leg=dev-{number}""}}"""
    return (
        f'"LEG","{at}","dev-{number}.1","dev-{number}.0","PJSIP/trunk-{number:08x}","connect","s","{extra}"\n'
    )


def lines(*numbers: int) -> str:
    return "".join(map(line, numbers))


def write(cel: Path, *numbers: int) -> None:
    append(cel, lines(*numbers))


def append(cel: Path, text: str | bytes) -> None:
    with cel.open("ab") as file:
        file.write(text.encode() if isinstance(text, str) else text)


class Taker:
    """What the reader has given to the engine."""

    def __init__(self, cel: Path, **options: float) -> None:
        self.numbers: list[int] = []
        self.largest = 0
        self.refusing = False
        self.reader = CelReader(cel, kept(cel), self.take, **options)  # type: ignore[arg-type]

    async def take(self, events: Sequence[CelEvent]) -> None:
        if self.refusing:
            raise OSError("the journal has no room")
        self.largest = max(self.largest, len(events))
        self.numbers += [int(event.extra["n"]) for event in events]

    async def until(self, *numbers: int) -> None:
        await until(lambda: self.numbers == list(numbers), lambda: str(self.numbers))


def kept(cel: Path) -> Path:
    return cel.parent.parent / "cel.json"


async def until(happened: Callable[[], bool], seen: Callable[[], str] = lambda: "") -> None:
    deadline = time.monotonic() + 5
    while not happened():
        assert time.monotonic() < deadline, seen()
        await asyncio.sleep(0.002)


@asynccontextmanager
async def reading(cel: Path, **options: float) -> AsyncIterator[Taker]:
    """A reader at work; it has taken what was there, and has stored its position when the block ends."""
    taker = Taker(cel, **options)
    work = asyncio.create_task(taker.reader.run())
    try:
        await asyncio.wait_for(taker.reader.drained(), 5)
        yield taker
    finally:
        work.cancel()
        await asyncio.wait({work})


async def taken(cel: Path) -> list[int]:
    """What a next reader takes."""
    async with reading(cel) as taker:
        return taker.numbers


async def test_each_line_is_taken_as_it_comes(cel: Path) -> None:
    async with reading(cel) as taker:
        write(cel, 1)
        await taker.until(1)
        write(cel, 2, 3)
        await taker.until(1, 2, 3)


async def test_a_next_reader_goes_on_where_the_last_one_was(cel: Path) -> None:
    write(cel, 1, 2)
    assert await taken(cel) == [1, 2]
    write(cel, 3)
    assert await taken(cel) == [3]
    assert await taken(cel) == []


async def test_a_new_installation_ignores_what_stands_there(cel: Path) -> None:
    write(cel, 1)
    renamed(cel)
    write(cel, 2)
    async with reading(cel, first=True) as taker:
        write(cel, 3)
        await taker.until(3)
    assert await taken(cel) == []


@pytest.mark.parametrize(
    "damage", ["", "{", "[]", '{"marks": [{"head": "", "tail": "", "offset": 900}]}', "\0" * 40]
)
async def test_with_a_damaged_position_everything_is_taken_again(cel: Path, damage: str) -> None:
    write(cel, 1)
    renamed(cel)
    write(cel, 2)
    assert await taken(cel) == [1, 2]
    kept(cel).write_text(damage)
    async with reading(cel, first=True) as taker:
        assert taker.numbers == [1, 2]


async def test_the_position_is_whole_and_synced_before_it_has_its_name(
    cel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def noted_fsync(fd: int) -> None:
        done.append(os.readlink(f"/proc/self/fd/{fd}"))
        fsync(fd)

    def noted_replace(self: Path, target: Path) -> Path:
        done.append("replace")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    write(cel, 1)
    await taken(cel)
    assert done == [str(kept(cel).with_suffix(".draft")), "replace", str(cel.parent.parent)]
    assert json.loads(kept(cel).read_text())["marks"][0]["offset"] == len(line(1))


async def test_a_position_that_cannot_be_stored_ends_nothing(cel: Path) -> None:
    kept(cel).with_suffix(".draft").mkdir()
    with capture_logs() as logs:
        async with reading(cel) as taker:
            write(cel, 1)
            await taker.until(1)
            await until(lambda: bool(logs))
            kept(cel).with_suffix(".draft").rmdir()
            await until(kept(cel).exists)
    assert [entry["event"] for entry in logs] == ["cel_position_not_saved"]


async def test_a_slow_disk_for_the_position_holds_no_line_up(
    cel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, begun = threading.Event(), threading.Event()

    def save(self: Marks, text: str) -> None:
        begun.set()
        assert slow.wait(5)

    monkeypatch.setattr(Marks, "save", save)
    async with reading(cel) as taker:
        await until(begun.is_set)
        write(cel, 1)
        await taker.until(1)
        slow.set()


async def test_lines_are_taken_without_inotify_too(cel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing:
        def inotify_init1(self, flags: int) -> int:
            return -1

    monkeypatch.setattr(cel_watch, "_libc", Refusing())
    monkeypatch.setattr(cel_reader, "LOOK_EVERYWHERE_SECONDS", 60.0)
    async with reading(cel) as taker:
        write(cel, 1)
        await taker.until(1)
        write(cel, 2)
        await taker.until(1, 2)


async def test_what_cannot_be_made_durable_is_offered_again(cel: Path) -> None:
    async with reading(cel) as taker:
        taker.refusing = True
        with capture_logs() as logs:
            write(cel, 1)
            await until(lambda: bool(logs))
            write(cel, 2)
        taker.refusing = False
        await taker.until(1, 2)
    assert [entry["event"] for entry in logs] == ["cel_not_taken"]


async def test_what_was_not_taken_at_the_end_is_taken_by_the_next_reader(cel: Path) -> None:
    async with reading(cel) as taker:
        taker.refusing = True
        write(cel, 1)
    assert taker.numbers == []
    assert await taken(cel) == [1]


async def test_a_file_that_cannot_be_read_is_reported_once_and_keeps_nobody_waiting(cel: Path) -> None:
    cel.parent.rmdir()
    cel.parent.write_text("")
    with capture_logs() as logs:
        async with reading(cel) as taker:
            await taker.reader.drained()
            cel.parent.unlink()
            cel.parent.mkdir()
            write(cel, 1)
            await taker.until(1)
    assert {entry["event"] for entry in logs} == {"cel_unreadable", "cel_not_rotated"}
    assert len(logs) == 2


async def test_lines_are_never_in_the_log(cel: Path) -> None:
    append(cel, '"BYE","+32470111222"\n\n' * 3 + line(1))
    with capture_logs() as logs:
        async with reading(cel) as taker:
            assert taker.numbers == [1]
            assert taker.reader.skipped == 3
    assert [entry["event"] for entry in logs] == ["cel_line_skipped"]
    assert "32470111222" not in str(logs)


# Rotation, with the reader at work and without one.


def renamed(cel: Path, to: str = "Master.csv.1") -> None:
    cel.rename(cel.with_name(to))


def renamed_by_date(cel: Path) -> None:
    renamed(cel, "Master.csv-20261127")


def removed(cel: Path) -> None:
    cel.unlink()


def written_anew(cel: Path, *numbers: int) -> None:
    cel.write_text(lines(*numbers))


def copied_and_truncated(cel: Path) -> None:
    shutil.copyfile(cel, cel.with_name("Master.csv.1"))
    os.truncate(cel, 0)


def renamed_and_gzipped(cel: Path) -> None:
    renamed(cel)
    gzipped(cel.with_name("Master.csv.1"))


def copied_truncated_and_gzipped(cel: Path) -> None:
    copied_and_truncated(cel)
    gzipped(cel.with_name("Master.csv.1"))


def gzipped(path: Path) -> None:
    """As gzip does it: the packed file has the time of the other, which is removed at last."""
    packed = path.with_name(path.name + ".gz")
    with packed.open("wb") as raw, gzip.open(raw, "wb") as file:
        file.write(path.read_bytes())
    os.utime(packed, ns=(path.stat().st_mtime_ns, path.stat().st_mtime_ns))
    path.unlink()


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


# Cut and damaged lines.


async def test_a_line_that_is_not_whole_yet_waits(cel: Path) -> None:
    async with reading(cel) as taker:
        append(cel, line(1) + line(2)[:70])
        await taker.until(1)
        append(cel, line(2)[70:])
        await taker.until(1, 2)
        assert taker.reader.skipped == 0


async def test_a_line_that_was_cut_costs_that_line_only(cel: Path) -> None:
    with capture_logs() as logs:
        async with reading(cel) as taker:
            append(cel, line(1) + line(2)[:70])
            await taker.until(1)
            write(cel, 3)
            await taker.until(1, 3)
            append(cel, line(4)[:-1])  # only its newline is missing
            write(cel, 5)
            await taker.until(1, 3, 4, 5)
    assert [entry["event"] for entry in logs] == ["cel_line_skipped"]


async def test_a_line_that_was_cut_at_the_end_of_a_rotated_file_is_reported_once(cel: Path) -> None:
    append(cel, line(1) + line(2)[:70])
    renamed(cel)
    os.utime(cel.with_name("Master.csv.1"), (9000, 9000))
    write(cel, 3)
    with capture_logs() as logs:
        assert await taken(cel) == [1, 3]
        assert await taken(cel) == []
    assert [entry["event"] for entry in logs] == ["cel_line_skipped"]


async def test_nul_bytes_of_a_power_cut_cost_nothing_else(cel: Path) -> None:
    append(cel, lines(1, 2))
    assert await taken(cel) == [1, 2]
    append(cel, line(3)[:40].encode() + bytes(100_000) + lines(4, 5).encode() + bytes(50))
    async with reading(cel) as taker:
        assert taker.numbers == [4, 5]
        write(cel, 6)
        await taker.until(4, 5, 6)


async def test_what_a_power_cut_took_back_is_written_anew_and_read(cel: Path) -> None:
    """The position was synced, the file was not."""
    write(cel, 1, 2, 3)
    await taken(cel)
    os.truncate(cel, len(lines(1, 2)))
    write(cel, 4, 5)
    assert set(await taken(cel)) == {1, 2, 4, 5}


async def test_a_line_without_end_is_skipped(cel: Path) -> None:
    async with reading(cel) as taker:
        append(cel, line(1) + "x" * 300_000 + "\n" + line(2))
        await taker.until(1, 2)
        append(cel, "y" * 9000)
        await until(lambda: taker.reader.skipped > 1)
        append(cel, "\n" + line(3))
        await taker.until(1, 2, 3)


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


# Much at once.


@pytest.mark.parametrize("rotated", [None, renamed_and_gzipped])
async def test_the_lines_of_5000_calls_are_taken_in_linear_time_and_bounded_memory(
    cel: Path, rotated: Callable[[Path], None] | None
) -> None:
    """With 20,000 calls: four times as long (docs/decisions/013-cel-is-the-ledger.md). The loop goes on."""
    append(cel, lines(*range(40_000)))
    if rotated:
        rotated(cel)
        os.utime(cel.with_name("Master.csv.1.gz"), (9000, 9000))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    count, looks = 0, 0

    async def take(events: Sequence[CelEvent]) -> None:
        nonlocal count
        assert len(events) < 1000
        count += len(events)

    reader = CelReader(cel, kept(cel), take)
    work = asyncio.create_task(reader.run())
    drained = asyncio.create_task(reader.drained())
    began = time.process_time()
    while not drained.done():
        await asyncio.sleep(0.001)
        looks += 1
    assert time.process_time() - began < 8
    work.cancel()
    await asyncio.wait({work})
    assert count == 40_000
    assert looks > 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 30_000  # KiB
