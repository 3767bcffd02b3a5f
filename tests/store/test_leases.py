"""Leases that nobody works under are given up: audio must not wait two minutes for a claim that is lost."""

from collections.abc import AsyncIterator
from contextlib import suppress

import asyncpg
import pytest

from tests.store.posting import leave_message
from worker.leases import Leases

NODE = "here"
CLAIM = "UPDATE audio SET lease_until = now() + interval '2 minutes', leased_by = $1"


@pytest.fixture
async def con(database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database)
    await leave_message(connection, 1)
    yield connection
    await connection.close()


async def is_leased(con: asyncpg.Connection) -> bool:
    return bool(await con.fetchval("SELECT lease_until > now() FROM audio"))


async def lose_answer(con: asyncpg.Connection, leases: Leases) -> None:
    """Claim the audio; the database stores the claim, and its answer does not arrive."""
    with suppress(TimeoutError):
        async with leases.piece(con):
            await con.execute(CLAIM, NODE)
            raise TimeoutError


async def test_those_of_an_earlier_worker(con: asyncpg.Connection) -> None:
    await con.execute(CLAIM, NODE)
    async with Leases(NODE).piece(con):
        assert not await is_leased(con)


async def test_another_nodes_are_its_own(con: asyncpg.Connection) -> None:
    await con.execute(CLAIM, "there")
    async with Leases(NODE).piece(con):
        assert await is_leased(con)


async def test_those_whose_answer_was_lost(con: asyncpg.Connection) -> None:
    leases = Leases(NODE)
    await lose_answer(con, leases)
    assert await is_leased(con)
    async with leases.piece(con):
        assert not await is_leased(con)


async def test_not_while_another_piece_is_at_work(con: asyncpg.Connection) -> None:
    leases = Leases(NODE)
    async with leases.piece(con):
        await lose_answer(con, leases)
        async with leases.piece(con):
            assert await is_leased(con)
    async with leases.piece(con):
        assert not await is_leased(con)


async def test_a_piece_that_went_well_gives_up_nobodys(con: asyncpg.Connection) -> None:
    leases = Leases(NODE)
    async with leases.piece(con):
        await con.execute(CLAIM, NODE)
    async with leases.piece(con):
        assert await is_leased(con)
