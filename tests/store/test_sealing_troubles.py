"""Sealing while the store, the file or a competitor gets in the way: nothing is lost."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from devkit.seaweed import Seaweed, wait_ready
from storage.encrypted_store import AudioDamaged, AudioDestroyed
from storage.objects import Objects
from storage.objects.directory import Directory
from storage.sealing import SealResult
from tests.lateness import PATIENCE
from tests.store.broken_store import Broken
from tests.store.keeping import House, house_of
from tests.store.sounds import audio_id, record, voicemail_call
from tests.store.test_objects import s3_of


@pytest.fixture
async def house(database: str, tmp_path: Path) -> AsyncIterator[House]:
    async with house_of(database, tmp_path) as found:
        yield found


async def test_one_that_cannot_be_sealed_holds_up_no_other(house: House) -> None:
    (house.spool.folder / f"{audio_id(1)}.wav").mkdir()
    record(house.spool.folder, 2)
    await house.drain(voicemail_call(1), voicemail_call(2))
    assert sorted(await house.seal()) == [SealResult.DEFERRED, SealResult.STORED]
    assert await house.state(audio_id(2)) == "stored"


async def test_tries_come_further_apart_and_are_counted(house: House) -> None:
    await house.drain(voicemail_call(1))
    for tries in range(1, 10):
        before = await house.con.fetchval("SELECT now()")
        await house.seal()
        row = await house.con.fetchrow("SELECT attempts, next_at, now() AS after FROM audio")
        assert row is not None
        assert row["attempts"] == tries
        assert before <= row["next_at"] - timedelta(seconds=min(2 ** (tries - 1), 64)) <= row["after"]
        await house.retry()


@pytest.mark.parametrize("verb", ["put", "get", "delete"])
async def test_a_store_that_fails_loses_nothing(database: str, tmp_path: Path, verb: str) -> None:
    store = Broken(tmp_path / "objects")
    store.fails = {verb}
    async with house_of(database, tmp_path, objects=store) as house:
        raw = record(house.spool.folder, 1)
        await house.drain(voicemail_call(1))
        assert await house.seal() == ([SealResult.STORED] if verb == "delete" else [SealResult.DEFERRED])
        store.fails = set()
        await house.retry()
        await house.seal()
        assert await house.encrypted_store.fetch(house.con, audio_id(1)) == raw


async def test_a_bucket_that_goes_and_comes_back_loses_nothing(
    database: str, tmp_path: Path, s3: Seaweed, bucket: str
) -> None:
    async with house_of(database, tmp_path, objects=s3_of(s3, bucket)) as house:
        raw = record(house.spool.folder, 1)
        await house.drain(voicemail_call(1))
        s3.stop()
        try:
            assert await house.seal() == [SealResult.DEFERRED]
        finally:
            s3.restart()
            wait_ready(s3)
        await house.retry()
        assert await house.seal() == [SealResult.STORED]
        assert await house.encrypted_store.fetch(house.con, audio_id(1)) == raw


async def test_what_is_read_back_otherwise_is_not_called_stored(database: str, tmp_path: Path) -> None:
    store = Broken(tmp_path / "objects")
    store.garbles = True
    async with house_of(database, tmp_path, objects=store) as house:
        raw = record(house.spool.folder, 1)
        await house.drain(voicemail_call(1))
        assert await house.seal() == [SealResult.DEFERRED]
        assert house.spooled() == [audio_id(1)]
        store.garbles = False
        await house.retry()
        assert await house.seal() == [SealResult.STORED]
        assert await house.encrypted_store.fetch(house.con, audio_id(1)) == raw


async def test_an_object_cut_off_by_a_crash_is_replaced(house: House) -> None:
    raw = record(house.spool.folder, 1)
    await house.drain(voicemail_call(1))
    await house.store.put(f"message/{audio_id(1)}", b"half an ob")
    assert await house.seal() == [SealResult.STORED]
    assert await house.encrypted_store.fetch(house.con, audio_id(1)) == raw


async def test_the_object_of_an_attempt_that_was_killed_is_found_and_kept(house: House) -> None:
    raw = record(house.spool.folder, 1)
    await house.drain(voicemail_call(1))
    await house.encrypted_store.store(house.con, "message", audio_id(1), raw)
    before = await house.store.get(f"message/{audio_id(1)}")
    assert await house.seal() == [SealResult.STORED]
    assert await house.store.get(f"message/{audio_id(1)}") == before


async def test_a_sound_that_was_changed_in_the_store_is_not_given_out(house: House) -> None:
    record(house.spool.folder, 1)
    await house.drain(voicemail_call(1))
    await house.seal()
    object_ = house.folder / "objects" / "message" / audio_id(1)
    object_.write_bytes(object_.read_bytes()[:-1] + b"x")
    with pytest.raises(AudioDamaged):
        await house.encrypted_store.fetch(house.con, audio_id(1))
    object_.unlink()
    with pytest.raises(AudioDamaged):
        await house.encrypted_store.fetch(house.con, audio_id(1))


async def test_what_was_never_kept_is_gone(house: House) -> None:
    with pytest.raises(AudioDestroyed):
        await house.encrypted_store.fetch(house.con, audio_id(1))


async def test_two_who_seal_at_once_each_take_another(database: str, tmp_path: Path) -> None:
    async with house_of(database, tmp_path) as one:
        for n in range(20):
            record(one.spool.folder, n)
        await one.drain(*(voicemail_call(n) for n in range(20)))
        async with house_of(database, tmp_path, key_wrapper=one.key_wrapper) as two:
            came = await asyncio.gather(one.seal(), two.seal())
        assert sorted(len(each) for each in came)[0] > 0
        assert [it for each in came for it in each] == [SealResult.STORED] * 20
        assert len(await one.outbox()) == 20


async def test_a_straggler_leaves_nothing_of_what_was_destroyed_meanwhile(
    database: str, tmp_path: Path
) -> None:
    """It stood still, between upload and commit, for longer than its lease, its message and its deadline."""

    class Slow(Directory):
        async def put(self, name: str, data: bytes) -> None:
            reached.set()
            await go_on.wait()
            await super().put(name, data)

    reached, go_on = asyncio.Event(), asyncio.Event()
    slow: Objects = Slow(tmp_path / "objects")
    async with house_of(database, tmp_path) as fast:
        record(fast.spool.folder, 1)
        await fast.drain(voicemail_call(1))
        async with house_of(database, tmp_path, objects=slow, key_wrapper=fast.key_wrapper) as straggler:
            sealing = asyncio.create_task(straggler.sealer.seal_next(straggler.con))
            await asyncio.wait_for(reached.wait(), PATIENCE)
            await fast.retry()
            assert await fast.seal() == [SealResult.STORED]
            await fast.accept(audio_id(1))
            assert await fast.destroy() == 1
            go_on.set()
            await asyncio.wait_for(sealing, PATIENCE)
        assert await fast.names() == []
        assert await fast.con.fetchval("SELECT count(*) FROM keys.audio_key") == 0
        assert await fast.con.fetchval("SELECT count(*) FROM outbox") == 1
