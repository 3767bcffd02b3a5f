"""The CEL reader and lines that are cut or damaged: each costs that line only."""

import os
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.unit.cel_files import append, cel_below, hurry, line, lines, reading, renamed, taken, until, write


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)


@pytest.fixture
def cel(tmp_path: Path) -> Path:
    return cel_below(tmp_path)


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
