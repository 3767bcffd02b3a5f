"""Sealed audio, opened in parts: what was sealed, from any byte to any other, or nothing at all."""

import hashlib
import os
import random
import tracemalloc
from pathlib import Path

import pytest

from storage.key_wrapper import SealBroken, new_key, seal
from storage.objects.directory import Directory
from storage.sealed_audio import PIECE, SealedAudio, checked

AUDIO, NAME = "call-rec1", "recording/call-rec1"
KEY = new_key()


async def stored(folder: Path, plain: bytes, name: str = NAME) -> Directory:
    objects = Directory(folder)
    await objects.put(name, seal(KEY, AUDIO, plain))
    return objects


async def opened(objects: Directory, plain: bytes) -> SealedAudio:
    return await checked(objects, NAME, AUDIO, KEY, hashlib.sha256(plain).hexdigest())


async def part(audio: SealedAudio, start: int, stop: int) -> bytes:
    return b"".join([piece async for piece in audio.parts(start, stop)])


@pytest.mark.parametrize("size", [0, 1, 15, 16, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 5])
async def test_it_is_what_was_sealed_in_every_part(tmp_path: Path, size: int) -> None:
    plain, chance = os.urandom(size), random.Random(size)
    audio = await opened(await stored(tmp_path, plain), plain)
    assert audio.size == size
    assert await part(audio, 0, size) == plain
    for _ in range(20):
        start = chance.randint(0, size)
        stop = chance.randint(start, size)
        assert await part(audio, start, stop) == plain[start:stop]


@pytest.mark.parametrize("place", [0, 11, 12, 5_000, PIECE + 20, -16, -1])
async def test_one_changed_byte_is_found_before_anything_is_given_out(tmp_path: Path, place: int) -> None:
    plain = os.urandom(PIECE + 100)
    objects = await stored(tmp_path, plain)
    change(tmp_path / NAME, place)
    with pytest.raises(SealBroken):
        await opened(objects, plain)


async def test_what_is_changed_later_is_not_given_out(tmp_path: Path) -> None:
    plain = os.urandom(2 * PIECE)
    audio = await opened(await stored(tmp_path, plain), plain)
    change(tmp_path / NAME, PIECE + 100)
    assert await part(audio, 0, 1000) == plain[:1000]
    with pytest.raises(SealBroken, match="changed while it was read"):
        await part(audio, PIECE, PIECE + 10)


@pytest.mark.parametrize("size", [0, 5, 27])
async def test_a_cut_object_is_broken(tmp_path: Path, size: int) -> None:
    (tmp_path / "recording").mkdir()
    (tmp_path / NAME).write_bytes(bytes(size))
    with pytest.raises(SealBroken):
        await opened(Directory(tmp_path), b"")


async def test_another_key_another_audio_and_another_digest_are_refused(tmp_path: Path) -> None:
    plain = b"a conversation"
    objects, sha256 = await stored(tmp_path, plain), hashlib.sha256(plain).hexdigest()
    for audio_id, key, digest in ((AUDIO, new_key(), sha256), ("other", KEY, sha256), (AUDIO, KEY, "00")):
        with pytest.raises(SealBroken):
            await checked(objects, NAME, audio_id, key, digest)


async def test_hours_take_no_more_memory_than_seconds(tmp_path: Path) -> None:
    plain = bytes(24 * PIECE)
    objects = await stored(tmp_path, plain)
    tracemalloc.start()
    try:
        audio = await opened(objects, plain)
        assert sum([len(piece) async for piece in audio.parts(0, audio.size)]) == len(plain)
        assert tracemalloc.get_traced_memory()[1] < 8 * PIECE
    finally:
        tracemalloc.stop()


def change(file: Path, place: int) -> None:
    data = bytearray(file.read_bytes())
    data[place] ^= 1
    file.write_bytes(data)
