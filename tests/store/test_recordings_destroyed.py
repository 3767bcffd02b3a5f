"""Recordings at their deadline: key, object and files are destroyed, whatever else is going on."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from storage.destruction import Destroyer
from storage.encrypted_store import AudioDestroyed
from storage.lease import Audio, claim
from storage.sealing import TO_SEAL, SealResult
from tests.store.broken_store import Broken
from tests.store.conversations import record_talk, recorded_call, recording_id
from tests.store.keeping import House, house_of
from tests.store.locks import lock_awaited
from tests.store.stored_recordings import FOREVER, KEYS, age, store


@pytest.fixture
async def house(database: str, tmp_path: Path) -> AsyncIterator[House]:
    async with house_of(database, tmp_path) as found:
        yield found


async def test_at_its_deadline_nothing_is_left_but_tombstone_and_evidence(house: House) -> None:
    await store(house, 1, 2)
    await age(house, 1, days=36_600)
    assert await house.destroy() == 1
    tombstone = await house.con.fetchrow("SELECT * FROM tombstone")
    assert tombstone is not None
    assert (tombstone["audio_id"], tombstone["kind"], tombstone["reason"]) == (
        recording_id(1),
        "recording",
        "deadline",
    )
    assert await house.names() == [f"recording/{recording_id(2)}"]
    with pytest.raises(AudioDestroyed):
        await house.encrypted_store.fetch(house.con, recording_id(1))


async def test_past_its_deadline_it_is_destroyed_even_if_it_could_never_be_stored(
    database: str, tmp_path: Path
) -> None:
    store = Broken(tmp_path / "objects")
    store.fails = {"put", "get"}
    async with house_of(database, tmp_path, objects=store) as house:
        record_talk(house.spool.folder, 1)
        await house.drain(recorded_call(1, days=FOREVER))
        assert await house.seal() == [SealResult.DEFERRED]
        await age(house, 1, days=36_600)
        await house.retry()
        assert await house.destroy() == 1
        assert (house.spooled(), await house.con.fetchval(KEYS)) == ([], 0)
        assert await house.state(recording_id(1)) == "destroyed"


async def test_with_the_store_away_even_a_plain_file_goes_at_its_deadline(
    database: str, tmp_path: Path
) -> None:
    objects = Broken(tmp_path / "objects")
    objects.fails = {"put", "get", "delete"}
    async with house_of(database, tmp_path, objects=objects) as house:
        record_talk(house.spool.folder, 1)
        await house.drain(recorded_call(1, days=FOREVER))
        await house.seal()
        await age(house, 1, days=36_600)
        await house.retry()
        assert await house.destroy() == 1
        assert house.spooled() == []
        assert await house.state(recording_id(1)) == "shredded"
        objects.fails = set()
        await house.retry()
        await house.destroy()
        assert await house.state(recording_id(1)) == "destroyed"


async def test_who_tries_to_seal_it_does_not_keep_it_beyond_its_deadline(house: House) -> None:
    """Where the store hangs, an attempt takes a minute, and the pause after it may be another one."""
    record_talk(house.spool.folder, 1)
    await house.drain(recorded_call(1, days=FOREVER))
    await house.con.execute("UPDATE audio SET attempts = 6, next_at = now()")
    assert await claim(house.con, TO_SEAL, "here") is not None
    await age(house, 1, days=36_600)
    assert await house.destroyer.shred_next(house.con)
    assert house.spooled() == []
    assert await house.destroy() == 1
    assert await house.state(recording_id(1)) == "destroyed"


async def test_what_is_stored_in_the_moment_its_time_is_over_is_destroyed_whole(
    house: House, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Claimed as a plain file, it has become an object by the time it is destroyed."""
    record_talk(house.spool.folder, 1)
    await house.drain(recorded_call(1, days=FOREVER))
    await age(house, 1, days=36_600)
    shred = Destroyer._shred

    async def stored_first(self: Destroyer, con: asyncpg.Connection, audio: Audio) -> bool:
        await house.con.execute("UPDATE audio SET next_at = now(), lease_until = NULL")
        assert await house.seal() == [SealResult.STORED]
        return await shred(self, con, audio)

    monkeypatch.setattr(Destroyer, "_shred", stored_first)
    async with house_of(database, house.folder, key_wrapper=house.key_wrapper) as other:
        assert await other.destroy() == 1
    assert (await house.names(), await house.con.fetchval(KEYS)) == ([], 0)
    tombstone = await house.con.fetchrow("SELECT method, cipher_sha256 IS NULL AS plain FROM tombstone")
    assert tombstone is not None
    assert tuple(tombstone) == ("key+object", False)


async def test_no_key_is_made_for_what_is_just_being_destroyed(house: House, database: str) -> None:
    record_talk(house.spool.folder, 1)
    await house.drain(recorded_call(1, days=FOREVER))
    con = await asyncpg.connect(database)
    destroying = con.transaction()
    await destroying.start()
    await con.execute("UPDATE audio SET state = 'shredded'")
    sealing = asyncio.create_task(
        house.encrypted_store.store(house.con, "recording", recording_id(1), b"too late")
    )
    await lock_awaited(database, sealing.done)
    await destroying.commit()
    with pytest.raises(AudioDestroyed):
        await sealing
    await con.close()
    assert await house.con.fetchval(KEYS) == 0


async def test_while_the_store_hangs_every_key_that_is_due_goes(database: str, tmp_path: Path) -> None:
    """An hour by the clock: keys must not wait for deletions that do not come to an end."""

    class Hanging(Broken):
        async def delete(self, name: str) -> int:
            await asyncio.sleep(3600)  # as good as for ever
            return await super().delete(name)

    async with house_of(database, tmp_path, objects=Hanging(tmp_path / "objects")) as house:
        await store(house, *range(30))
        await house.con.execute("UPDATE audio SET destroy_after = now()")
        async with house_of(database, tmp_path, objects=house.store) as other:
            hanging = asyncio.create_task(other.destroy())
            while await house.destroyer.shred_next(house.con):
                pass
            assert await house.con.fetchval(KEYS) == 0
            states = await house.con.fetch("SELECT state FROM audio GROUP BY state")
            assert [it["state"] for it in states] == ["shredded"]
            hanging.cancel()
            await asyncio.wait([hanging])
