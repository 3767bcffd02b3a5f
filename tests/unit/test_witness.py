"""Reading CEL along: whatever is rotated, cut or read twice, each call that was served alone is told."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from engine.ari.witness import Place, Witness, read_kept
from engine.served import Served

from engine.ari import witness as module
from tests.unit.test_served import ANSWERED, UNANSWERED


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.005)
    monkeypatch.setattr(module, "TOLD_SECONDS", 0.05)


@pytest.fixture
def cel(tmp_path: Path) -> Path:
    (tmp_path / "cel").mkdir()
    return tmp_path / "cel" / "Master.csv"


class Told:
    """A witness at work, and the channels of those it has told of."""

    def __init__(self, cel: Path, ours: Callable[[str], bool] = lambda _: False) -> None:
        self.channels: list[str] = []
        self.witness = Witness(cel, cel.parent.parent / "place.json", ours, self.take)

    async def take(self, served: Served) -> None:
        self.channels.append(served.channel)

    async def until(self, *channels: str) -> None:
        await until(lambda: self.channels == list(channels))

    async def kept(self, cel: Path) -> None:
        """Wait until it is written down that all of the file was read."""
        await until(lambda: place(self) == (cel.stat().st_ino, cel.stat().st_size))


def place(told: Told) -> Place | None:
    """Up to where it is written down that it was read."""
    kept = read_kept(told.witness._kept)
    return kept[0] if kept else None


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not happened():  # noqa: ASYNC110 - what is waited for has no event of its own
            await asyncio.sleep(0.002)


@asynccontextmanager
async def reading(told: Told) -> AsyncIterator[Told]:
    """It has begun, and has found what was there."""
    work = asyncio.create_task(told.witness.run())
    await until(told.witness._kept.exists)
    yield told
    work.cancel()
    await asyncio.wait({work})


def write(cel: Path, text: str) -> None:
    with cel.open("a") as file:
        file.write(text)


def rotate(cel: Path, to: str) -> None:
    cel.rename(cel.with_name(to))


def write_anew(cel: Path, text: str) -> None:
    cel.write_text(text)


FIRST, SECOND, THIRD = "dev-1795777790.0", "dev-1795777796.32", "dev-1795777990.0"
LATER = ANSWERED.replace(FIRST, THIRD)


async def test_what_stood_there_before_is_not_told_and_what_comes_is(cel: Path) -> None:
    write(cel, UNANSWERED)
    async with reading(Told(cel)) as told:
        write(cel, ANSWERED)
        await told.until(FIRST)


async def test_a_file_that_comes_to_be_is_read_from_its_beginning(cel: Path) -> None:
    async with reading(Told(cel)) as told:
        write(cel, ANSWERED)
        await told.until(FIRST)


async def test_a_line_that_is_not_whole_yet_waits(cel: Path) -> None:
    async with reading(Told(cel)) as told:
        write(cel, ANSWERED[:333])
        await until(lambda: told.witness._place[1] == ANSWERED[:333].rfind("\n") + 1 > 0)
        write(cel, ANSWERED[333:])
        await told.until(FIRST)


async def test_what_came_while_nobody_read_is_told_by_the_next(cel: Path) -> None:
    async with reading(Told(cel)) as told:
        write(cel, UNANSWERED + ANSWERED[:700])
        await told.until(SECOND)
        await until(lambda: place(told) == (cel.stat().st_ino, len(UNANSWERED)))
    write(cel, ANSWERED[700:])
    async with reading(Told(cel)) as told:
        await told.until(FIRST)


async def test_a_rotated_file_is_read_to_its_end(cel: Path) -> None:
    async with reading(Told(cel)) as told:
        write(cel, UNANSWERED)
        await told.until(SECOND)
        await told.kept(cel)
    write(cel, ANSWERED)
    rotate(cel, "Master.csv.1")
    write(cel, UNANSWERED)
    async with reading(Told(cel)) as told:
        await told.until(FIRST, SECOND)
        rotate(cel, "Master.csv.2")
        write(cel, LATER)
        await told.until(FIRST, SECOND, THIRD)


async def test_a_file_that_is_written_anew_is_read_from_its_beginning(cel: Path) -> None:
    async with reading(Told(cel)) as told:
        write(cel, ANSWERED + LATER)
        await told.until(FIRST, THIRD)
        write_anew(cel, UNANSWERED)
        await told.until(FIRST, THIRD, SECOND)


async def test_lines_that_are_none_of_ours_hold_nothing_up(cel: Path) -> None:
    async with reading(Told(cel)) as told:
        write(cel, 'rubbish\n\n"LINKEDID_END"\n' + ANSWERED.replace('{""hang', '{{""hang') + UNANSWERED)
        await told.until(SECOND)


async def test_one_of_ours_is_told_to_who_asks_before_and_after(cel: Path) -> None:
    async with reading(Told(cel, ours=lambda channel: channel in (FIRST, THIRD))) as told:
        asked = asyncio.create_task(told.witness.became(FIRST, exists))
        await asyncio.sleep(0)
        write(cel, ANSWERED)
        it = await asked
        assert it is not None
        assert it.channel == FIRST
        write(cel, LATER + UNANSWERED)
        await told.until(SECOND)
        it = await told.witness.became(THIRD, exists)
        assert it is not None
        assert it.channel == THIRD


async def test_what_was_told_is_not_told_again_by_the_next_who_reads_it_again(cel: Path) -> None:
    going_on = LATER.splitlines(keepends=True)
    async with reading(Told(cel)) as told:
        write(cel, going_on[0])
        await until(lambda: place(told) == (cel.stat().st_ino, 0))
        write(cel, ANSWERED)
        await told.until(FIRST)
        await until(lambda: (read_kept(told.witness._kept) or ())[1:] == (frozenset({FIRST}),))
    async with reading(Told(cel)) as told:
        write(cel, "".join(going_on[1:]))
        await told.until(THIRD)


async def test_a_place_that_cannot_be_kept_ends_nothing(cel: Path) -> None:
    told = Told(cel)
    told.witness._kept.with_suffix(".draft").mkdir()
    work = asyncio.create_task(told.witness.run())
    await until(lambda: told.witness._blind)
    told.witness._kept.with_suffix(".draft").rmdir()
    await until(told.witness._kept.exists)
    write(cel, ANSWERED)
    await told.until(FIRST)
    work.cancel()
    await asyncio.wait({work})


async def test_who_has_gone_and_of_whom_nothing_is_told_is_not_waited_for(cel: Path) -> None:
    async with reading(Told(cel)) as told:
        assert await told.witness.became(FIRST, gone) is None


async def exists() -> bool:
    return True


async def gone() -> bool:
    return False
