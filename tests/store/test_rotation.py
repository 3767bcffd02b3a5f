"""Epochs of keys: one ends when keys were destroyed in it, and no key that is needed ends with it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest

from storage import keyring, rotation
from storage.encrypted_store import AudioDamaged, AudioDestroyed, EncryptedStore
from storage.key_wrapper import KeyWrapper, MasterKeyError, SealBroken, new_master_key, open_sealed
from storage.rotation import Rotation
from tests.store.keeping import House, house_of
from tests.store.sounds import audio_id, record, voicemail_call

MASTER_KEY = new_master_key()
EPOCH = "SELECT epoch FROM keys.epoch"
RESIDUE = "SELECT count(*) FROM keys.residue"
GROUPS = "SELECT count(*) FROM keys.group_key"
KEYS = "SELECT audio_id, wrapped, group_id FROM keys.audio_key"
QUARTER = timedelta(minutes=15)
LATER = "UPDATE keys.epoch SET began_at = began_at - interval '15 minutes'"


@pytest.fixture
async def house(database: str, tmp_path: Path) -> AsyncIterator[House]:
    """Six messages are stored."""
    async with house_of(database, tmp_path, key_wrapper=KeyWrapper(MASTER_KEY)) as found:
        await store(found, *range(6))
        yield found


async def store(house: House, *numbers: int) -> None:
    for n in numbers:
        record(house.spool.folder, n, 1.5)
    await house.drain(*(voicemail_call(n) for n in numbers))
    await house.seal()


async def readable(house: House, key_wrapper: KeyWrapper | None = None) -> list[int]:
    """Which of the messages can be read."""
    encrypted_store, found = EncryptedStore(house.store, key_wrapper or house.key_wrapper), []
    for n in range(6):
        try:
            await encrypted_store.fetch(house.con, audio_id(n))
        except AudioDestroyed:
            continue
        found.append(n)
    return found


async def parts(house: House, of: int) -> list[int]:
    """The key of an epoch, as the database has it."""
    return list(await house.con.fetchval("SELECT keys.epoch_key($1)", of))


async def test_after_a_destruction_the_epochs_key_is_another_and_the_old_one_overwritten(
    house: House,
) -> None:
    before = await parts(house, 1)
    await house.destroy_now(audio_id(0), audio_id(1))
    assert await house.con.fetchval(RESIDUE) == 2
    await house.rotate()
    assert await house.con.fetchval(EPOCH) == 2
    assert set(await parts(house, 2)).isdisjoint({*before, 0})
    assert await parts(house, 1) == [0, 0, 0, 0]
    assert await house.con.fetchval(RESIDUE) == 0
    assert await readable(house) == [2, 3, 4, 5]


async def test_the_destroyed_keys_row_put_back_opens_nothing(house: House) -> None:
    """Whoever finds it in a file has no more than this."""
    query = "SELECT wrapped, group_id FROM keys.audio_key WHERE audio_id = $1"
    key = await house.con.fetchrow(query, audio_id(0))
    assert key is not None
    group = await house.con.fetchval(
        "SELECT wrapped FROM keys.group_key WHERE group_id = $1", key["group_id"]
    )
    await house.destroy_now(audio_id(0))
    await house.rotate()
    for epoch in (1, 2):
        with pytest.raises(SealBroken):
            house.key_wrapper.in_epoch(keyring.as_bytes(await parts(house, epoch))).unwrap(
                group, keyring.GROUP
            )
    for row in await house.con.fetch(rotation.GROUPS):
        present = house.key_wrapper.in_epoch(keyring.as_bytes(await parts(house, 2)))
        with pytest.raises(SealBroken):
            open_sealed(present.unwrap(row["wrapped"], keyring.GROUP), audio_id(0), key["wrapped"])


async def test_an_epoch_lasts_its_time_and_longer_when_nothing_was_destroyed(house: House) -> None:
    await house.con.execute(LATER)
    assert await house.rotate(QUARTER) == 0
    await house.destroy_now(audio_id(0))
    await house.rotate(QUARTER)
    assert await house.con.fetchval(EPOCH) == 2
    await house.destroy_now(audio_id(1))
    assert await house.rotate(QUARTER) == 0
    await house.con.execute(LATER)
    await house.rotate(QUARTER)
    assert await house.con.fetchval(EPOCH) == 3


async def test_only_groups_of_which_keys_were_destroyed_are_encrypted_anew(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyring, "GROUP_SIZE", 2)
    await store(house, *range(6, 12))
    before = {row["audio_id"]: row for row in await house.con.fetch(KEYS)}
    mates = [it for it, row in before.items() if row["group_id"] == before[audio_id(6)]["group_id"]]
    assert len(mates) == 2
    await house.destroy_now(audio_id(6))
    await house.rotate()
    after = {row["audio_id"]: row for row in await house.con.fetch(KEYS)}
    assert {audio_id(6), *(it for it in after if after[it] != before[it])} == set(mates)
    assert await readable(house) == list(range(6))


async def test_a_group_that_is_empty_is_no_more(house: House) -> None:
    await house.destroy_now(*map(audio_id, range(6)))
    await house.rotate()
    assert await house.con.fetchval(GROUPS) == 0
    await store(house, 7)
    assert await house.con.fetchval(GROUPS) == 1


async def test_a_held_message_stays_readable_when_its_neighbours_are_destroyed(house: House) -> None:
    await house.con.execute("UPDATE audio SET hold = 'court' WHERE audio_id = $1", audio_id(3))
    await house.destroy_now(*map(audio_id, range(6)))
    await house.rotate()
    assert await readable(house) == [3]


async def test_a_replaced_master_key_is_needed_no_more_after_the_next_rotation(house: House) -> None:
    new = new_master_key()
    both, only_new = KeyWrapper(f"{new}, {MASTER_KEY}"), KeyWrapper(new)
    with pytest.raises(MasterKeyError):
        await readable(house, only_new)
    assert await Rotation(both, timedelta()).step(house.con)
    assert await readable(house, only_new) == list(range(6))
    with pytest.raises(MasterKeyError):
        await readable(house, KeyWrapper(MASTER_KEY))


async def test_two_workers_that_rotate_at_once_rotate_once(
    house: House, database: str, tmp_path: Path
) -> None:
    await house.destroy_now(audio_id(0))
    await house.con.execute(LATER)
    async with house_of(database, tmp_path, key_wrapper=house.key_wrapper) as other:
        await asyncio.gather(house.rotate(QUARTER), other.rotate(QUARTER))
    assert await house.con.fetchval(EPOCH) == 2
    assert await readable(house) == [1, 2, 3, 4, 5]


async def test_while_keys_are_made_read_and_destroyed_it_rotates_and_loses_none(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyring, "GROUP_SIZE", 3)
    monkeypatch.setattr(rotation, "GROUP_SIZE", 3)
    key_wrapper, done = KeyWrapper(new_master_key()), asyncio.Event()
    async with (
        house_of(database, tmp_path, key_wrapper=key_wrapper) as one,
        house_of(database, tmp_path, key_wrapper=key_wrapper) as two,
        house_of(database, tmp_path, key_wrapper=key_wrapper) as three,
    ):

        async def rotate() -> None:
            while not done.is_set():
                await three.rotate()

        rotating = asyncio.create_task(rotate())
        for n in range(0, 60, 2):
            await asyncio.gather(store(one, n), store(two, n + 1))
            await asyncio.gather(
                one.destroy_now(audio_id(n)),
                *(two.encrypted_store.fetch(two.con, audio_id(m)) for m in [n + 1]),
            )
        done.set()
        await rotating
        assert await one.con.fetchval(EPOCH) > 10
        for n in range(1, 60, 2):
            await one.encrypted_store.fetch(one.con, audio_id(n))
        assert await one.con.fetchval("SELECT count(*) FROM keys.audio_key") == 30


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ("SELECT keys.end_epoch(1)", "epoch 1 is live"),
        ("SELECT keys.begin_epoch(1), keys.begin_epoch(2)", "epoch 3 is live"),
        ("SELECT keys.overwrite(3, decode(repeat('ff', 32), 'hex'))", "epoch 3 is live"),
        ("DELETE FROM keys.epoch", "violates foreign key"),
        ("DELETE FROM keys.group_key", "violates foreign key"),
    ],
)
async def test_the_database_refuses_what_would_lose_keys(house: House, change: str, error: str) -> None:
    with pytest.raises(asyncpg.PostgresError, match=error):
        await house.con.execute(change)
    assert await readable(house) == list(range(6))


async def test_where_a_group_key_does_not_open_no_epochs_key_is_overwritten(house: House) -> None:
    """A person has to see to it: with the old key some of it may still be saved."""
    before = await parts(house, 1)
    await house.destroy_now(audio_id(0))
    rotating = Rotation(house.key_wrapper, timedelta())
    assert await rotating.step(house.con)
    broken = "UPDATE keys.group_key SET wrapped = set_byte(wrapped, 40, get_byte(wrapped, 40) # 1)"
    await house.con.execute(broken)
    for _ in range(2):
        with pytest.raises(SealBroken):
            await rotating.step(house.con)
    assert await parts(house, 1) == before


async def test_a_key_that_is_damaged_holds_up_no_other(house: House) -> None:
    broken = "UPDATE keys.audio_key SET wrapped = set_byte(wrapped, 40, get_byte(wrapped, 40) # 1)"
    await house.con.execute(f"{broken} WHERE audio_id = $1", audio_id(1))
    await house.destroy_now(audio_id(0))
    await house.rotate()
    assert await house.con.fetchval(RESIDUE) == 0
    with pytest.raises(AudioDamaged):
        await house.encrypted_store.fetch(house.con, audio_id(1))
    await house.encrypted_store.fetch(house.con, audio_id(2))
