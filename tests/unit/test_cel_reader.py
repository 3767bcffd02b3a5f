"""The CEL reader on real files: whatever is rotated, cut or damaged, each event is taken, in order."""

import asyncio
import json
import os
import resource
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from engine.ari import cel_reader, cel_watch
from engine.ari.cel_marks import Marks
from engine.ari.cel_reader import CelReader
from journal.cel import CelEvent
from tests.unit.cel_files import (
    append,
    cel_below,
    hurry,
    kept,
    line,
    lines,
    reading,
    renamed,
    renamed_and_gzipped,
    taken,
    until,
    write,
)


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)


@pytest.fixture
def cel(tmp_path: Path) -> Path:
    return cel_below(tmp_path)


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
    assert {entry["event"] for entry in logs} == {"cel_position_not_saved"}


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


async def test_it_has_drained_the_file_though_lines_come_as_fast_as_they_are_taken(cel: Path) -> None:
    """On a slow disk an engine would never be ready: new calls write lines while the journal is synced."""
    write(cel, 0)
    numbers: list[int] = []

    async def take(events: Sequence[CelEvent]) -> None:
        numbers.extend(int(event.extra["n"]) for event in events)
        if numbers[-1] < 200:
            write(cel, numbers[-1] + 1)

    reader = CelReader(cel, kept(cel), take)
    work = asyncio.create_task(reader.run())
    await reader.drained()
    assert len(numbers) < 100
    work.cancel()
    await asyncio.wait({work})


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
