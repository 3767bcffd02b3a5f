"""A destroyed key is gone, also for somebody who has all files of PostgreSQL and the master key."""

import asyncio
import os
import random
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from devkit.postgres import Running, answers
from storage.migrate import migrate
from tests.lateness import PATIENCE
from tests.store.attack import Attack
from tests.store.keeping import House, house_of
from tests.store.sounds import audio_id, record, voicemail_call

SOUNDS = [audio_id(n) for n in range(1, 7)]
GONE, KEPT = SOUNDS[:3], SOUNDS[3:]
CONNECTION_LOST = (OSError, asyncpg.PostgresConnectionError, asyncpg.InterfaceError)


@pytest.fixture
async def house(own_server: Running, tmp_path: Path) -> AsyncIterator[House]:
    """On a PostgreSQL of its own, which syncs."""
    async with house_of(own_server.url, tmp_path) as found:
        await migrate(found.con)
        for n in range(1, 7):
            record(found.spool.folder, n)
        await found.drain(*(voicemail_call(n) for n in range(1, 7)))
        await found.seal()
        yield found


@pytest.fixture
def attack(house: House) -> Attack:
    return Attack(house.folder / "postgres/data", house.key_wrapper)


async def settle(con: asyncpg.Connection) -> None:
    """As within ten minutes: two checkpoints."""
    await con.execute("VACUUM (FREEZE)")
    for _ in range(2):
        await con.execute("SELECT pg_switch_wal()")
        await con.execute("CHECKPOINT")


async def test_nobody_reads_a_destroyed_key_in_any_file_of_the_database(house: House, attack: Attack) -> None:
    await house.con.execute("CHECKPOINT")
    assert attack.keys_of(SOUNDS) == set(SOUNDS)
    await attack.keep_rows(house.con)
    for sound in GONE:
        await house.accept(sound)
    assert await house.destroy() == len(GONE)
    await house.rotate()
    await settle(house.con)
    assert attack.keys_of(SOUNDS) == set(KEPT)


async def test_without_a_rotation_it_can_be_read(house: House, attack: Attack) -> None:
    """The same attack on the same files: the rotation ends the key, not a checkpoint, VACUUM or time."""
    await attack.keep_rows(house.con)
    await house.destroy_now(*GONE)
    await settle(house.con)
    assert attack.keys_of(SOUNDS) == set(SOUNDS)


async def test_postgresql_killed_at_any_time_of_a_rotation_no_key_is_lost_or_kept(
    house: House, own_server: Running, attack: Attack
) -> None:
    await attack.keep_rows(house.con)
    chance = random.Random(4)
    for sound in GONE:
        async with house_of(own_server.url, house.folder, key_wrapper=house.key_wrapper) as one:
            await one.destroy_now(sound)
            rotating = asyncio.create_task(one.rotate())
            await asyncio.sleep(chance.uniform(0, 0.02))  # a random moment
            os.kill(one.con.get_server_pid(), signal.SIGKILL)  # PostgreSQL ends all others then, and recovers
            await asyncio.wait({rotating})
            assert rotating.exception() is None or isinstance(rotating.exception(), CONNECTION_LOST)
        assert await answers(own_server, time.monotonic() + PATIENCE)
        async with house_of(own_server.url, house.folder, key_wrapper=house.key_wrapper) as after:
            for kept in KEPT:
                await after.encrypted_store.fetch(after.con, kept)
    async with house_of(own_server.url, house.folder, key_wrapper=house.key_wrapper) as after:
        await after.rotate()
        await settle(after.con)
    assert attack.keys_of(SOUNDS) == set(KEPT)
