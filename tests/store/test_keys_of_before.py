"""A database of the schema before epochs: none of its keys is lost, all get into an epoch."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest

from storage import migrate as schema
from storage.audit import Auditor
from storage.encrypted_store import EncryptedStore
from storage.grants import Roles
from storage.key_wrapper import KeyWrapper, new_key, new_master_key
from storage.migrate import migrate, migrations
from storage.rotation import Rotation
from tests.store.keeping import House, house_of
from tests.store.sounds import audio_id, record, voicemail_call

KEYS = "SELECT count(*) FROM keys.audio_key WHERE group_id IS NULL"
ADD = "INSERT INTO keys.audio_key (audio_id, wrapped) VALUES ($1, $2)"
MASTER_KEY = new_master_key()
EPOCHS = "008_key_epochs"


async def no_grants(_con: asyncpg.Connection, _roles: Roles) -> None:
    """The roles of other tests belong to the whole server, and this schema has not all of its tables yet."""


@pytest.fixture
async def house(bare_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    """Its four messages have keys as the version before made them."""
    async with house_of(bare_database, tmp_path, key_wrapper=KeyWrapper(MASTER_KEY)) as found:
        with monkeypatch.context() as before:
            before.setattr(schema, "migrations", lambda: [it for it in migrations() if it.name != EPOCHS])
            before.setattr(schema, "grant", no_grants)
            await migrate(found.con)
        for n in range(4):
            record(found.spool.folder, n, 1.5)
            await found.drain(voicemail_call(n), rev=n + 1)
            await found.con.execute(ADD, audio_id(n), found.key_wrapper.wrap(new_key(), audio_id(n)))
        assert await migrate(found.con) == [EPOCHS]
        await found.seal()
        yield found


async def all_readable(house: House, key_wrapper: KeyWrapper, *numbers: int) -> bool:
    for n in numbers:
        await EncryptedStore(house.store, key_wrapper).fetch(house.con, audio_id(n))
    return True


async def findings(house: House) -> list[str]:
    found = Auditor(house.store, house.spool, key_wrapper=house.key_wrapper).findings(house.con)
    return [str(it) async for it in found]


async def test_its_keys_are_found_before_they_are_in_a_group_and_after(house: House) -> None:
    assert await house.con.fetchval(KEYS) == 4
    assert await all_readable(house, house.key_wrapper, *range(4))
    await house.rotate()
    assert await house.con.fetchval(KEYS) == 0
    assert await all_readable(house, house.key_wrapper, *range(4))


async def test_until_the_master_key_is_replaced_the_audit_says_what_can_still_be_read(house: House) -> None:
    await house.destroy_now(audio_id(0))  # before it was in a group
    await house.rotate()
    (found,) = await findings(house)
    before = (
        f"residue: keys that an earlier version wrapped by master key {house.key_wrapper.current.hex()} alone"
    )
    assert found.startswith(before)
    new = new_master_key()
    both = Rotation(KeyWrapper(f"{new},{MASTER_KEY}"), timedelta())
    while await both.step(house.con):
        pass
    house.key_wrapper = KeyWrapper(new)
    assert await all_readable(house, house.key_wrapper, 1, 2, 3)
    await house.rotate()
    assert await findings(house) == []


async def test_a_worker_of_before_goes_on_with_the_new_schema(house: House) -> None:
    await house.rotate()
    record(house.spool.folder, 4, 1.5)
    await house.drain(voicemail_call(4), rev=9)
    await house.con.execute(ADD, audio_id(4), house.key_wrapper.wrap(new_key(), audio_id(4)))
    await house.seal()
    assert await all_readable(house, house.key_wrapper, *range(5))
    await house.con.execute("DELETE FROM keys.audio_key WHERE audio_id = $1", audio_id(1))
    await house.rotate()
    assert await all_readable(house, house.key_wrapper, 0, 2, 3, 4)
    assert await house.con.fetchval("SELECT keys.epoch_key(epoch - 1) FROM keys.epoch") == [0, 0, 0, 0]


async def test_a_key_of_a_master_key_that_is_not_there_waits_for_it(house: House) -> None:
    other = KeyWrapper(new_master_key())
    assert not await Rotation(other, timedelta()).step(house.con)
    assert await house.con.fetchval(KEYS) == 4
    assert await all_readable(house, house.key_wrapper, *range(4))
