"""Audio in another format than the stored one, made while it is sent: an hour takes the memory of a minute.

libsndfile wants files, and decrypted audio is on no disk. So it reads from a file in memory that has what is
around the place of reading, and writes into another one, from which each piece is taken once it is made.
The beginnings of WAV and FLAC have the length, which libsndfile writes at the end: here it is known before.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from config.memory_file import in_memory
from storage.conversation import HOW, LOSSY

PIECE = 2**20  # that is read from the source at once
AHEAD = 2 * PIECE  # bytes after the place of reading: more than a block of any format
BEHIND = PIECE
TAIL = 2**16  # bytes at the end, where Opus has its length
BLOCK_SECONDS = 10
HEAD = 64  # bytes in which the length is
RATE = 8000
OPUS_RATE = 48000  # Opus is always decoded at this rate


class Source(Protocol):
    """Audio as it is stored. `size`: in bytes."""

    @property
    def size(self) -> int: ...

    def parts(self, start: int, stop: int) -> AsyncGenerator[bytes]:
        """The bytes from `start` to `stop`, some at a time."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """The same audio in the format `form`. `turns`: how many blocks are converted at the same time."""

    source: Source
    form: str
    turns: asyncio.Semaphore

    async def parts(self) -> AsyncGenerator[bytes]:
        """All of it, some at a time; close the iterator."""
        window = Window(self.source)
        try:
            await window.open()
            async with self.turns:
                work = await in_thread(lambda: Work(window, self.form))
            try:
                while not work.is_over:
                    await window.fill()
                    async with self.turns:
                        data = await in_thread(work.step)
                    if data:
                        yield data
            finally:
                work.close()
        finally:
            window.file.close()


class Window:
    """A file as large as the source, which has the bytes around the place of reading, and the last ones."""

    def __init__(self, source: Source) -> None:
        self.file = in_memory()
        self._source = source
        self._begin = 0
        self._held = bytearray()  # from `begin` on
        self._tail = b""

    async def open(self) -> None:
        os.ftruncate(self.file.fileno(), self._source.size)
        start = max(0, self._source.size - TAIL)
        self._tail = b"".join([part async for part in self._source.parts(start, self._source.size)])
        self._write(start, self._tail)
        await self.fill()

    async def fill(self) -> None:
        """Have AHEAD bytes after the place of reading, and no more than BEHIND before it."""
        place, size = os.lseek(self.file.fileno(), 0, os.SEEK_CUR), self._source.size
        while (end := self._begin + len(self._held)) < min(place + AHEAD, size):
            async for part in self._source.parts(end, min(end + PIECE, size)):
                self._write(self._begin + len(self._held), part)
                self._held += part
        if place - self._begin > 2 * BEHIND:
            del self._held[: place - BEHIND - self._begin]
            self._begin = place - BEHIND
            os.ftruncate(self.file.fileno(), 0)  # frees the memory
            os.ftruncate(self.file.fileno(), size)
            self._write(size - len(self._tail), self._tail)
            self._write(self._begin, bytes(self._held))

    def _write(self, at: int, data: bytes) -> None:
        """The place of reading stays."""
        os.pwrite(self.file.fileno(), data, at)


class Work:
    """A decoder and an encoder. Its methods block: call them in a thread."""

    def __init__(self, window: Window, form: str) -> None:
        import soundfile  # noqa: PLC0415 - 0.35 s, needed only with audio to convert

        self._sound = soundfile.SoundFile(window.file.fileno(), closefd=False)
        rate = RATE if self._sound.samplerate == OPUS_RATE else self._sound.samplerate
        self._each = self._sound.samplerate // rate
        self._frames = -(-self._sound.frames // self._each)
        self._left = self._frames
        self._form = form
        self._kind = "float32" if form in LOSSY else "int16"
        self._made = in_memory()
        self._taken = 0
        how = HOW[form]
        self._out = soundfile.SoundFile(
            self._made.fileno(), "w", rate, self._sound.channels, closefd=False, **how
        )
        self.is_over = False

    def step(self) -> bytes:
        """Convert some seconds; return what was made."""
        frames = min(BLOCK_SECONDS * self._out.samplerate, self._left)
        block = self._sound.read(frames * self._each, dtype=self._kind, always_2d=True)[:: self._each]
        if len(block) < frames:  # as long as its beginning says
            missing = np.zeros((frames - len(block), self._sound.channels), block.dtype)
            block = np.concatenate([block, missing])
        self._out.write(block)
        self._left -= frames
        if self._left == 0:
            self._out.close()
            self.is_over = True
        return self._take()

    def close(self) -> None:
        self._sound.close()
        self._out.close()
        self._made.close()

    def _take(self) -> bytes:
        place = self._made.fileno()
        end = os.fstat(place).st_size if self.is_over else os.lseek(place, 0, os.SEEK_CUR)
        if not self.is_over and end < HEAD:
            return b""
        data = os.pread(place, end - self._taken, self._taken)
        if self._taken == 0:
            data = with_length(self._form, data, self._frames)
        self._taken += len(data)
        os.ftruncate(place, 0)  # frees the memory; the encoder goes on behind the hole
        return data


def with_length(form: str, data: bytes, frames: int) -> bytes:
    """The beginning of a file, with its length: of WAV in bytes, of FLAC in samples."""
    if form == "wav":
        size = frames * int.from_bytes(data[32:34], "little")
        parts = ((4, 36 + size), (40, size))
        for at, value in parts:
            data = data[:at] + value.to_bytes(4, "little") + data[at + 4 :]
    elif form == "flac":
        known = int.from_bytes(data[18:26], "big") >> 36 << 36  # rate, channels, bits: STREAMINFO
        data = data[:18] + (known | frames).to_bytes(8, "big") + data[26:]
    return data


async def in_thread[T](do: Callable[[], T]) -> T:
    """Run it in a thread, and wait for its end also when cancelled: what it uses is closed afterwards."""
    task = asyncio.ensure_future(asyncio.to_thread(do))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
