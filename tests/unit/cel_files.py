"""CEL files as Asterisk and logrotate leave them, and a reader at work on them."""

import asyncio
import gzip
import os
import shutil
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from engine.ari import cel_file, cel_reader
from engine.ari.cel_reader import CelReader
from journal.cel import CelEvent
from tests.lateness import PATIENCE


def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the reader look, save and try again all the time."""
    monkeypatch.setattr(cel_reader, "REST_SECONDS", 0.02)
    monkeypatch.setattr(cel_reader, "LOOK_EVERYWHERE_SECONDS", 0.02)
    monkeypatch.setattr(cel_reader, "SAVE_SECONDS", 0.02)
    monkeypatch.setattr(cel_reader, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(cel_file, "SETTLED_SECONDS", 0.1)


def cel_below(folder: Path) -> Path:
    """Where Asterisk writes, in a folder of its own that is there."""
    (folder / "cel").mkdir(mode=0o700)
    return folder / "cel" / "Master.csv"


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
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < deadline, seen()
        await asyncio.sleep(0.002)


@asynccontextmanager
async def reading(cel: Path, **options: float) -> AsyncIterator[Taker]:
    """A reader at work; it has taken what was there, and has stored its position when the block ends."""
    taker = Taker(cel, **options)
    work = asyncio.create_task(taker.reader.run())
    try:
        await asyncio.wait_for(taker.reader.drained(), PATIENCE)
        yield taker
    finally:
        work.cancel()
        await asyncio.wait({work})


async def taken(cel: Path) -> list[int]:
    """What a next reader takes."""
    async with reading(cel) as taker:
        return taker.numbers


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
