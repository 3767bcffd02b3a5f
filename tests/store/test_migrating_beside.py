"""The schema is brought up to date beside workers and portals that go on reading and writing."""

import asyncio
from collections.abc import AsyncIterator, Mapping

import asyncpg
import pytest

from storage import migrate as schema
from storage.grants import OWN_ROWS
from storage.migrate import Migration, migrate, migrations
from tests.store.worker_process import until

NEW = Migration("999_new", "ALTER TABLE call ADD new int; ALTER TABLE tombstone ADD new int")
WAITING = """
SELECT count(*) FROM pg_locks
WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


@pytest.fixture
async def owner(roles: Mapping[str, str]) -> AsyncIterator[asyncpg.Connection]:
    con = await asyncpg.connect(roles["owner"])
    yield con
    await con.close()


@pytest.fixture
async def reader(roles: Mapping[str, str]) -> AsyncIterator[asyncpg.Connection]:
    con = await asyncpg.connect(roles["superuser"])
    yield con
    await con.close()


@pytest.fixture
def one_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """A version with a migration that these databases lack."""
    monkeypatch.setattr(schema, "migrations", lambda: [*migrations(), NEW])


async def test_rights_that_stand_are_given_again_beside_those_who_read(
    owner: asyncpg.Connection, reader: asyncpg.Connection
) -> None:
    async with reader.transaction():
        for table in OWN_ROWS:
            await reader.fetch(f"SELECT FROM {table}")
        assert await asyncio.wait_for(migrate(owner), 10) == []


async def test_a_policy_of_another_role_or_condition_is_replaced(owner: asyncpg.Connection) -> None:
    for damage in (
        "DROP POLICY own_rows ON call",
        "COMMENT ON POLICY own_rows ON call IS 'RESTRICTIVE TO somebody USING (true)'",
    ):
        await owner.execute(damage)
        await migrate(owner)
        kept = "SELECT count(*) FROM pg_policies WHERE policyname = 'own_rows'"
        assert await owner.fetchval(kept) == len(OWN_ROWS)


async def test_who_reads_two_tables_the_other_way_round_goes_on_and_so_does_the_migration(
    owner: asyncpg.Connection, reader: asyncpg.Connection, one_more: None
) -> None:
    await reader.execute("SET deadlock_timeout = '1h'")  # so PostgreSQL ends the other transaction
    async with asyncio.TaskGroup() as tasks:
        async with reader.transaction():
            await reader.fetch("SELECT FROM tombstone")
            migrating = tasks.create_task(migrate(owner))
            await waits(reader)
            await reader.fetch("SELECT FROM call")
        assert await migrating == ["999_new"]


async def test_a_migration_that_has_to_wait_keeps_nobody_else_waiting(
    owner: asyncpg.Connection, reader: asyncpg.Connection, roles: Mapping[str, str], one_more: None
) -> None:
    another = await asyncpg.connect(roles["worker"])
    async with asyncio.TaskGroup() as tasks:
        async with reader.transaction():  # a long download
            await reader.fetch("SELECT FROM call")
            migrating = tasks.create_task(migrate(owner))
            await waits(reader)
            await another.fetch("SELECT FROM call", timeout=10)
            assert not migrating.done()
        assert await migrating == ["999_new"]
    await another.close()


async def waits(con: asyncpg.Connection) -> None:
    """Return when somebody waits for a lock in this database."""

    async def one_waits() -> bool:
        return bool(await con.fetchval(WAITING))

    await until(one_waits, "nobody waits for a lock")
