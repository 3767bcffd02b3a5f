"""From Asterisk's plain file to a sound that is stored: never lost, never left lying, never by halves."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from devkit.seaweed import Seaweed, wait_ready
from dialplan.result import Result
from journal.entries import MessageEnded, MessageStarted
from storage.encrypted_store import AudioDamaged, AudioDestroyed
from storage.objects import Objects, ObjectsTrouble
from storage.objects.directory import Directory
from storage.sealing import SealResult
from tests.store.calls import answered_call, changed
from tests.store.keeping import House, house_of
from tests.store.sounds import DELIVER, audio_id, record, samples, voicemail_call
from tests.store.test_objects import s3_of

OFFICE = "office@acme.example"


@pytest.fixture
async def house(database: str, tmp_path: Path) -> AsyncIterator[House]:
    async with house_of(database, tmp_path) as found:
        yield found


class Broken(Directory):
    """A store that does not do as it says: it gives back other bytes, or fails at some verb."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.garbles = False
        self.fails: set[str] = set()

    async def put(self, name: str, data: bytes) -> None:
        self._fail("put")
        await super().put(name, data)

    async def get(self, name: str) -> bytes:
        self._fail("get")
        data = await super().get(name)
        return data[:-1] + bytes([data[-1] ^ 1]) if self.garbles else data

    async def delete(self, name: str) -> int:
        self._fail("delete")
        return await super().delete(name)

    def _fail(self, verb: str) -> None:
        if verb in self.fails:
            raise ObjectsTrouble(f"{verb} does not work today")


async def test_a_message_is_stored_promised_to_its_owner_and_no_longer_in_the_spool(house: House) -> None:
    raw = record(house.spool.folder, 1)
    await house.drain(voicemail_call(1))
    assert await house.message(audio_id(1)) == "recorded"
    assert await house.seal() == [SealResult.STORED]
    assert await house.state(audio_id(1)) == "stored"
    assert await house.message(audio_id(1)) == "waiting"
    assert await house.outbox() == [(audio_id(1), OFFICE)]
    assert await house.encrypted_store.fetch(house.con, audio_id(1)) == raw
    assert house.spooled() == []


async def test_in_a_bucket_it_is_as_in_a_directory(
    database: str, tmp_path: Path, s3: Seaweed, bucket: str
) -> None:
    async with house_of(database, tmp_path, objects=s3_of(s3, bucket)) as house:
        raw = record(house.spool.folder, 1)
        await house.drain(voicemail_call(1))
        assert await house.seal() == [SealResult.STORED]
        assert await house.encrypted_store.fetch(house.con, audio_id(1)) == raw


async def test_nothing_that_is_kept_shows_the_sound(house: House) -> None:
    record(house.spool.folder, 1)
    await house.drain(voicemail_call(1))
    await house.seal()
    heard = samples(1, 2.0)[1000:1064]
    kept = [path.read_bytes() for path in house.folder.rglob("*") if path.is_file()]
    assert len(kept) == 1
    assert not any(heard in content for content in kept)
    assert heard.hex() not in await house.dump()


async def test_cut_by_a_kill_of_asterisk_it_is_put_right_and_kept(house: House) -> None:
    raw = record(house.spool.folder, 1, 5)
    cut = raw[:4] + bytes(4) + raw[8:40] + bytes(4) + raw[44:-32_769]
    (house.spool.folder / f"{audio_id(1)}.wav").write_bytes(cut)
    await house.drain(voicemail_call(1))
    assert await house.seal() == [SealResult.STORED]
    wav = await house.encrypted_store.fetch(house.con, audio_id(1))
    assert wav[44:] == raw[44:-32_770]
    assert await house.con.fetchval("SELECT seconds::float FROM audio") == pytest.approx(2.952, abs=0.001)


@pytest.mark.parametrize(
    ("seconds", "level", "why"), [(0, 0.1, "empty"), (0.9, 0.1, "too_short"), (8, 0.0005, "silent")]
)
async def test_what_says_nothing_is_absent_and_destroyed_and_mailed_to_nobody(
    house: House, seconds: float, level: float, why: str
) -> None:
    record(house.spool.folder, 1, seconds, level)
    await house.drain(voicemail_call(1))
    assert await house.seal() == [SealResult.ABSENT]
    assert await house.message(audio_id(1)) == f"absent {why}"
    assert await house.outbox() == []
    assert await house.destroy() == 1
    assert (house.spooled(), await house.names()) == ([], [])
    assert await house.con.fetchval("SELECT reason FROM tombstone") == "absent"
    assert await house.message(audio_id(1)) == f"absent {why}"


async def test_said_nothing_the_call_was_missed_where_the_owner_wants_to_know(house: House) -> None:
    record(house.spool.folder, 1, 8, 0.0005)
    await house.drain(voicemail_call(1, missed=True, caller="", withheld=True))
    await house.seal()
    missed = audio_id(1).replace("vm1", "missed")
    assert await house.message(missed) == "waiting"
    assert await house.outbox() == [(missed, OFFICE)]


async def test_a_call_with_another_message_was_not_missed(house: House) -> None:
    *entries, end = voicemail_call(1, missed=True, how="failed")
    second = audio_id(1).replace("vm1", "vm2")
    again = [
        changed(entry, audio=second) for entry in entries if isinstance(entry, MessageStarted | MessageEnded)
    ]
    record(house.spool.folder, 1)
    (house.spool.folder / f"{audio_id(1)}.wav").rename(house.spool.folder / f"{second}.wav")
    await house.drain([*entries, *again, end])
    assert sorted(await house.seal()) == [SealResult.ABSENT, SealResult.STORED]
    assert await house.outbox() == [(second, OFFICE)]


async def test_a_missed_call_is_posted_with_its_record(house: House) -> None:
    start, *_, end = answered_call(1, missed=DELIVER)
    await house.drain([start, changed(end, outcome=Result.NO_ANSWER)])
    assert await house.outbox() == [(f"{start.call}-missed", OFFICE)]


async def test_told_again_ten_times_nothing_changes_whatever_has_become_of_it(house: House) -> None:
    record(house.spool.folder, 1)
    call = voicemail_call(1)
    await house.drain(call)
    await house.seal()
    await house.accept(audio_id(1))
    await house.destroy()
    before = await house.dump()
    for _ in range(10):
        await house.drain(call)
        await house.retry()
        assert await house.seal() == []
    assert (await house.dump()).count("destroyed") == before.count("destroyed")
    assert await house.state(audio_id(1)) == "destroyed"
    assert len(await house.outbox()) == 1


async def test_of_another_node_it_is_left_to_that_one(house: House) -> None:
    record(house.spool.folder, 1)
    await house.drain(voicemail_call(1, node="elsewhere"))
    assert await house.seal() == []


async def test_while_nobody_saw_its_end_it_waits_until_the_file_is_still(house: House) -> None:
    record(house.spool.folder, 1)
    await house.drain(voicemail_call(1, how=None))
    assert await house.seal() == [SealResult.DEFERRED]
    file = house.spool.folder / f"{audio_id(1)}.wav"
    os.utime(file, (file.stat().st_atime, file.stat().st_mtime - 6))
    await house.retry()
    assert await house.seal() == [SealResult.STORED]


async def test_without_a_file_it_waits_ten_minutes_for_the_disk_to_come_back(house: House) -> None:
    await house.drain(voicemail_call(1))
    assert await house.seal() == [SealResult.DEFERRED]
    record(house.spool.folder, 1)
    await house.retry()
    assert await house.seal() == [SealResult.STORED]


async def test_without_a_file_for_ten_minutes_there_is_none(house: House) -> None:
    await house.drain(voicemail_call(1))
    await house.con.execute("UPDATE audio SET noted_at = noted_at - interval '11 minutes'")
    assert await house.seal() == [SealResult.ABSENT]
    assert await house.message(audio_id(1)) == "absent no_file"


async def test_without_a_spool_nothing_is_called_absent(house: House) -> None:
    await house.drain(voicemail_call(1))
    await house.con.execute("UPDATE audio SET noted_at = noted_at - interval '11 minutes'")
    house.spool.folder.rmdir()
    assert await house.seal() == [SealResult.DEFERRED]
    assert await house.state(audio_id(1)) == "recorded"


async def test_one_that_cannot_be_sealed_holds_up_no_other(house: House) -> None:
    (house.spool.folder / f"{audio_id(1)}.wav").mkdir()
    record(house.spool.folder, 2)
    await house.drain(voicemail_call(1), voicemail_call(2))
    assert sorted(await house.seal()) == [SealResult.DEFERRED, SealResult.STORED]
    assert await house.state(audio_id(2)) == "stored"


async def test_tries_come_further_apart_and_are_counted(house: House) -> None:
    await house.drain(voicemail_call(1))
    for tries in range(1, 10):
        await house.seal()
        row = await house.con.fetchrow("SELECT attempts, next_at - now() AS pause FROM audio")
        assert row is not None
        assert (row["attempts"], round(row["pause"].total_seconds())) == (tries, min(2 ** (tries - 1), 64))
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
    await house.encrypted_store.keep(house.con, "message", audio_id(1), raw)
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
            await asyncio.wait_for(reached.wait(), 5)
            await fast.retry()
            assert await fast.seal() == [SealResult.STORED]
            await fast.accept(audio_id(1))
            assert await fast.destroy() == 1
            go_on.set()
            await asyncio.wait_for(sealing, 5)
        assert await fast.names() == []
        assert await fast.con.fetchval("SELECT count(*) FROM keys.audio_key") == 0
        assert await fast.con.fetchval("SELECT count(*) FROM outbox") == 1


async def test_a_message_without_any_address_is_kept_for_a_person_to_see_to(house: House) -> None:
    record(house.spool.folder, 1)
    entries = voicemail_call(1)
    entries[2] = changed(entries[2], deliver=DELIVER | {"to": []})
    await house.drain(entries)
    assert await house.seal() == [SealResult.STORED]
    assert await house.message(audio_id(1)) == "undeliverable no_address"
    days = "SELECT extract(day FROM destroy_after - now()) FROM audio"
    assert await house.con.fetchval(days) in {29, 30}


async def test_a_withheld_caller_cannot_even_be_written(house: House) -> None:
    entries = voicemail_call(1)
    await house.drain(entries)
    with pytest.raises(asyncpg.CheckViolationError):
        await house.con.execute("UPDATE message SET withheld = true")
