"""Audio in another format, made while it is sent: the same sound, its length in its head, flat memory."""

import asyncio
import io
import os
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import BinaryIO

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from config.memory_file import in_memory
from portal import conversion
from portal.conversion import Conversion
from storage.conversation import blocks, write

FORMS = ("wav", "flac", "mp3", "opus")
RATE = 8000
DELAY = 0.4  # s that an encoder may add


def talk(seconds: float) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """Two sides: a tone that comes and goes, and noise, which no codec makes small."""
    at = np.arange(int(seconds * RATE)) / RATE
    tone = np.sin(2 * np.pi * 300 * at) * 8000 * (np.sin(at) > 0)
    return tone.astype(np.int16), np.random.default_rng(1).normal(0, 2000, len(at)).astype(np.int16)


@dataclass
class Stored:
    """Audio as the store gives it, in pieces."""

    data: bytes
    reads: list[tuple[int, int]] = field(default_factory=list)

    @property
    def size(self) -> int:
        return len(self.data)

    async def parts(self, start: int, stop: int) -> AsyncGenerator[bytes]:
        self.reads.append((start, stop))
        for at in range(start, stop, 300_000):
            yield self.data[at : min(at + 300_000, stop)]


def stored(seconds: float, form: str) -> Stored:
    return Stored(write(blocks(*talk(seconds)), form, seconds).data)


async def converted(source: Stored, form: str) -> bytes:
    async with aclosing(Conversion(source, form, asyncio.Semaphore(1)).parts()) as parts:
        return b"".join([part async for part in parts])


def heard(data: bytes) -> NDArray[np.int16]:
    sound, rate = soundfile.read(io.BytesIO(data), dtype="int16", always_2d=True)
    return np.asarray(sound[:: rate // RATE], np.int16)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("before", FORMS)
async def test_it_is_the_same_sound_in_each_format(before: str, form: str) -> None:
    source = stored(21, before)
    sound, original = heard(await converted(source, form)), heard(source.data)
    assert len(original) <= len(sound) <= len(original) + DELAY * RATE
    if form in ("wav", "flac"):
        assert np.abs(sound[: len(original)].astype(int) - original).max() <= (1 if before == "mp3" else 0)
    else:
        for side in (0, 1):
            assert sound[:, side].std() == pytest.approx(original[:, side].std(), rel=0.25)


@pytest.mark.parametrize("form", ["wav", "flac"])
async def test_its_length_is_at_its_beginning(form: str) -> None:
    data = await converted(stored(25, "opus"), form)
    assert soundfile.info(io.BytesIO(data)).frames == 25 * RATE


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[BinaryIO]]:
    """The files in memory that a conversion has made."""
    made: list[BinaryIO] = []

    def make() -> BinaryIO:
        made.append(in_memory())
        return made[-1]

    monkeypatch.setattr(conversion, "in_memory", make)
    yield made
    assert all(file.closed for file in made)


@pytest.mark.parametrize(("before", "form"), [("wav", "flac"), ("flac", "wav"), ("wav", "mp3")])
async def test_ten_minutes_take_the_memory_of_one(files: list[BinaryIO], before: str, form: str) -> None:
    """Stored, they are 19 MB as WAV, and 9 as FLAC."""
    source, most, size = stored(10 * 60, before), 0, 0
    async with aclosing(Conversion(source, form, asyncio.Semaphore(1)).parts()) as parts:
        async for part in parts:
            size += len(part)
            most = max(most, sum(os.fstat(file.fileno()).st_blocks * 512 for file in files) + len(part))
    assert size > 1_700_000
    assert source.size > 9_000_000
    assert most < 6_500_000
    assert sum(stop - start for start, stop in source.reads) < source.size + 200_000  # each piece once


async def test_a_client_that_leaves_closes_everything(files: list[BinaryIO]) -> None:
    async with aclosing(Conversion(stored(60, "wav"), "mp3", asyncio.Semaphore(1)).parts()) as parts:
        assert await anext(parts)
    assert len(files) == 2


async def test_it_goes_on_only_as_fast_as_it_is_read() -> None:
    source = stored(10 * 60, "wav")
    async with aclosing(Conversion(source, "flac", asyncio.Semaphore(1)).parts()) as parts:
        for _ in range(3):
            await anext(parts)
        assert max(stop for start, stop in source.reads[1:]) < 5_000_000


async def test_two_clients_share_the_turns() -> None:
    """A slow client holds no turn while it does not read."""
    turns = asyncio.Semaphore(1)
    slow = Conversion(stored(60, "wav"), "mp3", turns).parts()
    await anext(slow)
    source = stored(30, "wav")
    async with aclosing(slow), aclosing(Conversion(source, "wav", turns).parts()) as parts:
        async with asyncio.timeout(4):
            assert sum([len(part) async for part in parts]) == source.size
