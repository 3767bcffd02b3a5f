"""From Asterisk's plain file to a sound that is stored: never lost, never left lying, never by halves."""

import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

from devkit.seaweed import Seaweed
from dialplan.result import Result
from journal.entries import MessageEnded, MessageStarted
from storage.same_folder import MARK
from storage.sealing import SealResult
from storage.spool import SpoolAway
from storage.sweeping import Sweeper
from tests.store.calls import answered_call, changed
from tests.store.keeping import House, house_of
from tests.store.sounds import DELIVER, audio_id, record, samples, voicemail_call
from tests.store.test_objects import s3_of


@pytest.fixture
async def house(database: str, tmp_path: Path) -> AsyncIterator[House]:
    async with house_of(database, tmp_path) as found:
        yield found


OFFICE = "office@acme.example"


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


async def test_with_an_empty_folder_in_place_of_the_spool_nothing_is_called_absent(house: House) -> None:
    """Its disk is not mounted: at boot the folder is made all the same."""
    spool = replace(house.spool, marked=house.folder / "spool-marked")
    sealer = replace(house.sealer, spool=spool)
    assert spool.sounds() == []
    raw = record(spool.folder, 1)
    await house.drain(voicemail_call(1))
    await house.con.execute("UPDATE audio SET noted_at = noted_at - interval '11 minutes'")
    disk = spool.folder.rename(house.folder / "disk")
    spool.folder.mkdir()
    assert await sealer.seal_next(house.con) is SealResult.DEFERRED
    with pytest.raises(SpoolAway, match="mount its disk"):
        await Sweeper("here", spool).sweep(house.con, frozenset())
    spool.folder.rmdir()
    disk.rename(spool.folder)
    await house.retry()
    assert await sealer.seal_next(house.con) is SealResult.STORED
    assert await house.encrypted_store.fetch(house.con, audio_id(1)) == raw


async def test_a_folder_that_was_replaced_on_purpose_is_marked_anew(house: House) -> None:
    marked = house.folder / "spool-marked"
    spool = replace(house.spool, marked=marked)
    assert spool.sounds() == []
    (spool.folder / MARK).unlink()
    with pytest.raises(SpoolAway):
        spool.sounds()
    marked.unlink()
    assert spool.sounds() == []
    assert (spool.folder / MARK).exists()
