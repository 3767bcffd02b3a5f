"""Destruction on time: the key first, then every copy, and a line that nobody can take back."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from devkit.seaweed import Seaweed
from storage import destruction, rows
from storage.encrypted_store import AudioDestroyed
from storage.tombstones import Head, verify
from tests.lateness import PATIENCE
from tests.store.broken_store import Broken
from tests.store.keeping import House, house_of
from tests.store.locks import lock_awaited
from tests.store.sounds import audio_id, record, samples, voicemail_call
from tests.store.test_objects import s3_of

KEYS = "SELECT count(*) FROM keys.audio_key"


@pytest.fixture
async def house(database: str, tmp_path: Path) -> AsyncIterator[House]:
    async with house_of(database, tmp_path) as found:
        yield found


async def store(house: House, *numbers: int) -> None:
    for n in numbers:
        record(house.spool.folder, n)
    await house.drain(*(voicemail_call(n) for n in numbers))
    await house.seal()


async def deliver(house: House, *numbers: int) -> None:
    await store(house, *numbers)
    for n in numbers:
        await house.accept(audio_id(n))


async def test_delivered_nothing_of_it_is_left_but_its_tombstone(house: House) -> None:
    await deliver(house, 1)
    assert await house.destroy() == 1
    assert (await house.state(audio_id(1)), await house.message(audio_id(1))) == ("destroyed", "destroyed")
    assert (await house.names(), house.spooled(), await house.con.fetchval(KEYS)) == ([], [], 0)
    row = await house.con.fetchrow("SELECT * FROM tombstone")
    assert row is not None
    told = (row["audio_id"], row["owner"], row["reason"], row["method"], row["versions"])
    assert told == (audio_id(1), "acme", "delivered", "key+object", 1)
    with pytest.raises(AudioDestroyed):
        await house.encrypted_store.fetch(house.con, audio_id(1))


async def test_in_a_bucket_with_versions_every_version_goes(
    database: str, tmp_path: Path, s3: Seaweed, bucket: str
) -> None:
    versions = {"Status": "Enabled"}
    s3.client().put_bucket_versioning(Bucket=bucket, VersioningConfiguration=versions)
    objects = s3_of(s3, bucket, all_versions=True)
    async with house_of(database, tmp_path, objects=objects) as house:
        await deliver(house, 1)
        s3.client().put_object(Bucket=bucket, Key=f"message/{audio_id(1)}", Body=b"by hand")
        assert await house.destroy() == 1
        assert await house.names() == []
        assert await house.con.fetchval("SELECT versions FROM tombstone") == 2


async def test_even_its_sealed_bytes_leave_the_disk_of_the_bucket(
    database: str, tmp_path: Path, s3: Seaweed, bucket: str
) -> None:
    """Not at once, since a DELETE only marks them: until then nobody has a key to them."""
    async with house_of(database, tmp_path, objects=s3_of(s3, bucket)) as house:
        await deliver(house, 1)
        sealed = (await house.store.get(f"message/{audio_id(1)}"))[100:400]
        assert on_disk(s3, sealed)
        assert not on_disk(s3, samples(1, 2)[100:400])
        await house.destroy()
        for _ in range(100):
            s3.vacuum()
            if not on_disk(s3, sealed):
                break
            await asyncio.sleep(0.1)
        assert not on_disk(s3, sealed)


def on_disk(store: Seaweed, what: bytes) -> bool:
    return any(what in path.read_bytes() for path in store.folder.rglob("*") if path.is_file())


async def test_before_its_deadline_and_under_a_hold_it_stays(house: House) -> None:
    await deliver(house, 1, 2, 3)
    await house.con.execute(
        "UPDATE audio SET destroy_after = now() + interval '1 hour' WHERE audio_id = $1", audio_id(1)
    )
    await house.con.execute("UPDATE audio SET hold = 'court, 12/2026' WHERE audio_id = $1", audio_id(2))
    assert await house.destroy() == 1
    assert [await house.state(audio_id(n)) for n in (1, 2, 3)] == ["stored", "stored", "destroyed"]
    await house.con.execute("UPDATE audio SET hold = NULL")
    assert await house.destroy() == 1


async def test_a_hold_put_on_it_after_it_was_claimed_still_wins(
    house: House, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await deliver(house, 1)
    con = await asyncpg.connect(database)
    transaction = con.transaction()
    await transaction.start()
    await con.execute("UPDATE audio SET hold = 'court' WHERE audio_id = $1", audio_id(1))
    # Claimed just before: SKIP LOCKED would else pass it over.
    claimed = "SELECT * FROM audio"
    monkeypatch.setattr(destruction, "TO_SHRED", claimed + " WHERE node = $1")
    destroying = asyncio.create_task(house.destroyer.destroy_next(house.con))
    await lock_awaited(database)
    await transaction.commit()
    await asyncio.wait_for(destroying, PATIENCE)
    await con.close()
    assert await house.state(audio_id(1)) == "stored"
    assert await house.con.fetchval(KEYS) == 1


async def test_while_the_store_is_away_keys_go_and_objects_follow(database: str, tmp_path: Path) -> None:
    objects = Broken(tmp_path / "objects")
    async with house_of(database, tmp_path, objects=objects) as house:
        await deliver(house, 1, 2, 3)
        objects.fails = {"delete", "get", "put"}
        assert await house.destroy() == 3
        assert [await house.state(audio_id(n)) for n in (1, 2, 3)] == ["shredded"] * 3
        assert await house.con.fetchval(KEYS) == 0
        assert await house.con.fetchval("SELECT count(*) FROM tombstone") == 0
        objects.fails = set()
        await house.retry()
        assert await house.destroy() == 3
        assert (await house.names(), await house.con.fetchval("SELECT count(*) FROM tombstone")) == ([], 3)


async def test_stored_by_another_node_it_is_destroyed_by_whoever_is_there(
    house: House, database: str, tmp_path: Path
) -> None:
    await deliver(house, 1)
    async with house_of(database, tmp_path, node="elsewhere") as other:
        assert await other.destroy() == 1
    assert await house.state(audio_id(1)) == "destroyed"


async def test_a_plain_file_is_left_to_the_node_that_has_it(
    house: House, database: str, tmp_path: Path
) -> None:
    record(house.spool.folder, 1, 0.5)
    await house.drain(voicemail_call(1))
    await house.seal()
    async with house_of(database, tmp_path, node="elsewhere") as other:
        assert await other.destroy() == 0
    assert await house.destroy() == 1
    assert house.spooled() == []


async def test_two_who_destroy_at_once_write_one_chain(database: str, tmp_path: Path) -> None:
    async with house_of(database, tmp_path) as one:
        await deliver(one, *range(20))
        async with house_of(database, tmp_path, key_wrapper=one.key_wrapper) as two:
            tried = await asyncio.gather(one.destroy(), two.destroy())
        assert sum(tried) == 20
        chain = await verify(one.con)
        assert (chain.broken, chain.head.seq) == ("", 20)


async def test_doomed_it_goes_at_its_time_for_its_reason(house: House) -> None:
    await store(house, 1, 2)
    now = await house.con.fetchval("SELECT now()")
    await destruction.schedule_destruction(house.con, audio_id(1), now, "operator")
    assert await house.destroy() == 1
    assert await house.con.fetchval("SELECT reason FROM tombstone") == "operator"
    assert await house.state(audio_id(2)) == "stored"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("UPDATE tombstone SET owner = 'other' WHERE seq = 3", "line 3"),
        ("UPDATE tombstone SET destroyed_at = destroyed_at - interval '1 day' WHERE seq = 1", "line 1"),
        ("UPDATE tombstone SET hash = prev WHERE seq = 2", "line 2"),
        ("DELETE FROM tombstone WHERE seq = 3", "line 3 is missing"),
        ("DELETE FROM tombstone WHERE seq = 1", "line 1 is missing"),
    ],
)
async def test_a_chain_that_was_changed_says_where(house: House, change: str, told: str) -> None:
    await deliver(house, 1, 2, 3, 4, 5)
    await house.destroy()
    assert (await verify(house.con)).broken == ""
    await house.tamper(change)
    assert told in (await verify(house.con)).broken


async def test_a_chain_whose_end_was_cut_off_does_not_pass_its_noted_head(house: House) -> None:
    await deliver(house, 1, 2, 3)
    await house.destroy()
    noted = (await verify(house.con)).head
    assert (await verify(house.con, noted)).passed
    await deliver(house, 4)
    await house.destroy()
    assert (await verify(house.con, noted)).passed
    await house.tamper("DELETE FROM tombstone WHERE seq > 2")
    chain = await verify(house.con, noted)
    assert (chain.broken, chain.passed) == ("", False)
    assert (await verify(house.con, Head())).passed


async def test_a_chain_is_read_in_pieces(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "FETCHED", 2)
    await deliver(house, *range(5))
    await house.destroy()
    assert (await verify(house.con)).head.seq == 5
