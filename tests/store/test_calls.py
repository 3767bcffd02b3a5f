"""Call records in a real PostgreSQL: as often as you like, and never doubled."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from unittest.mock import AsyncMock

import asyncpg
import pytest

from storage import migrate as schema
from storage.calls import REFUSED, Revised, find, store
from storage.migrate import MigrationChanged, migrate, migrations
from storage.records import CallRecord
from storage.rows import FETCHED
from tests.store.calls import NOON, answered_call, call_id, lost_call, record_of
from tests.store.conversations import recorded_call


@pytest.fixture
async def con(database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


def record(n: int, **start: Any) -> CallRecord:
    return record_of(answered_call(n, **start))


async def everything(con: asyncpg.Connection) -> list[CallRecord]:
    return [found async for found in find(con)]


async def test_a_record_comes_back_as_it_was_kept(con: asyncpg.Connection) -> None:
    await store(con, [Revised(record(1), rev=1)])
    assert await everything(con) == [record(1)]


async def test_so_does_one_that_was_announced(con: asyncpg.Connection) -> None:
    announced = record_of(recorded_call(1))
    await store(con, [Revised(announced, rev=1)])
    assert await everything(con) == [announced]
    assert announced.notice["joined"][0]["result"] == "heard"


async def test_durations_stand_in_the_row_for_who_bills_from_the_table(con: asyncpg.Connection) -> None:
    await store(con, [Revised(record(1), rev=1)])
    (row,) = await con.fetch("SELECT ring_seconds::text, talk_seconds::text FROM call")
    assert tuple(row) == ("5.123", "60.500")


async def test_keeping_ten_times_changes_nothing(con: asyncpg.Connection) -> None:
    calls = [Revised(record(n), rev=n) for n in range(20)]
    for _ in range(10):
        await store(con, calls)
    assert await everything(con) == [record(n) for n in range(20)]
    assert await con.fetchval("SELECT count(*) FROM leg") == 40


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
async def test_the_greater_revision_wins_in_whatever_order_they_come(
    con: asyncpg.Connection, order: tuple[int, int]
) -> None:
    versions = {1: record_of(lost_call(1)), 2: record(1)}
    for rev in order:
        await store(con, [Revised(versions[rev], rev)])
    assert await everything(con) == [record(1)]


async def test_two_revisions_in_one_batch_are_one_row(con: asyncpg.Connection) -> None:
    corrected = replace(record(1), outcome="abandoned", legs=())
    await store(con, [Revised(corrected, rev=2), Revised(record(1), rev=1)])
    assert await everything(con) == [corrected]


async def test_what_there_is_none_of_is_null(con: asyncpg.Connection) -> None:
    withheld = record(1, caller="", withheld=True)
    await store(con, [Revised(replace(withheld, delivered_to=""), rev=1)])
    row = await con.fetchrow("SELECT caller, delivered_to, recording_id, message_id FROM call")
    assert row is not None
    assert set(row) == {None}


async def test_the_database_refuses_the_number_of_a_withheld_caller(con: asyncpg.Connection) -> None:
    with pytest.raises(REFUSED, match="no_number_of_a_withheld_caller"):
        await store(con, [Revised(record(1, caller="+32470111222", withheld=True), rev=1)])


@pytest.mark.parametrize("text", ["'); DROP TABLE call; --", "\\'\"{}$1", "\u202eé😀", "%s {x}"])
async def test_hostile_text_is_only_text(con: asyncpg.Connection, text: str) -> None:
    await store(con, [Revised(record(1, owner=text), rev=1)])
    assert [found.owner for found in await everything(con)] == [text]


async def test_records_are_found_by_number_and_time_oldest_first(con: asyncpg.Connection) -> None:
    calls = [record(n, number=f"+327001234{n % 2}") for n in range(10)]
    await store(con, [Revised(call, rev=1) for call in reversed(calls)])

    async def found(*asked: Any) -> list[str]:
        return [call.call_id for call in [call async for call in find(con, *asked)]]

    def at(seconds: int) -> Any:
        return NOON + timedelta(seconds=seconds)

    assert await found() == [call_id(n) for n in range(10)]
    assert await found("+3270012341") == [call_id(n) for n in (1, 3, 5, 7, 9)]
    assert await found(None, at(3), at(6)) == [call_id(n) for n in (3, 4, 5)]
    assert await found("+3270012340", at(3), None) == [call_id(n) for n in (4, 6, 8)]
    assert await found("+3270099999") == []


async def test_more_records_than_are_read_at_a_time_keep_their_own_legs(con: asyncpg.Connection) -> None:
    calls = [record(n) for n in range(2 * FETCHED + 7)]
    await store(con, [Revised(call, rev=1) for call in calls])
    assert await everything(con) == calls


OLDER = """
INSERT INTO call (call_id, number, owner, withheld, began, answered, ended, ring_seconds, talk_seconds,
                  delivered_to, outcome, ended_by, cause, node, rev)
VALUES ($1, '+3270012345', 'acme', true, $2, $2, $2, 0, 0, '+3221112233', 'answered', 'caller', 16, 'here', 1)
"""
OLDER_LEG = """
INSERT INTO leg (call_id, place, leg_id, destination, began, answered, ended, outcome, cause)
VALUES ($1, 1, $3, '+3221112233', $2, $2, $2, 'taken', 16)
"""


async def test_a_database_of_before_the_three_instants_keeps_its_records(
    bare_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    con = await asyncpg.connect(bare_database)
    older = [migration for migration in migrations() if migration.name < "006"]
    with monkeypatch.context() as before:
        before.setattr(schema, "migrations", lambda: older)
        before.setattr(schema, "grant", AsyncMock())  # roles that other tests made have no tables yet
        await migrate(con)
    await con.execute(OLDER, call_id(1), NOON)
    await con.execute(OLDER_LEG, call_id(1), NOON, f"{call_id(1)}-b1")
    assert (await migrate(con))[0] == "006_connected"
    # The worker of before runs with the new schema until it is renewed.
    await con.execute(OLDER, call_id(2), NOON)
    await con.execute(OLDER_LEG, call_id(2), NOON, f"{call_id(2)}-b1")
    for found in await everything(con):
        assert (found.answered, found.connected, found.delivered_to) == (NOON, None, "+3221112233")
        assert [(leg.answered, leg.connected, leg.sip) for leg in found.legs] == [(NOON, None, 0)]
    assert len(await everything(con)) == 2
    await con.close()


async def test_migrating_again_does_nothing(bare_database: str) -> None:
    con = await asyncpg.connect(bare_database)
    assert await migrate(con) == [migration.name for migration in migrations()]
    assert await migrate(con) == []
    await con.close()


async def test_two_that_migrate_at_once_migrate_once(bare_database: str) -> None:
    cons = [await asyncpg.connect(bare_database) for _ in range(4)]
    applied = await asyncio.gather(*(migrate(con) for con in cons))
    assert sorted(map(len, applied)) == [0, 0, 0, len(migrations())]
    for con in cons:
        await con.close()


async def test_an_edited_migration_is_refused(bare_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    con = await asyncpg.connect(bare_database)
    await migrate(con)
    edited = [replace(migration, sql=migration.sql + "-- edited") for migration in migrations()]
    monkeypatch.setattr(schema, "migrations", lambda: edited)
    with pytest.raises(MigrationChanged, match="001_calls"):
        await migrate(con)
    await con.close()


async def test_a_migration_that_fails_leaves_nothing_behind(
    bare_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    con = await asyncpg.connect(bare_database)
    broken = [*migrations(), schema.Migration("999_broken", "CREATE TABLE new (n int); SELECT 1 / 0")]
    monkeypatch.setattr(schema, "migrations", lambda: broken)
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(con)
    assert await con.fetch("SELECT 1 FROM pg_tables WHERE schemaname = 'public'") == []
    await con.close()
