"""Waiting until somebody waits for a lock in PostgreSQL."""

import asyncio
from collections.abc import Callable

import asyncpg

from tests.lateness import PATIENCE

WAITING = """
SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()
"""


async def lock_awaited(database: str, or_else: Callable[[], bool] = lambda: False) -> None:
    """Return once a session of this database waits for a lock, or `or_else` is so. Raises TimeoutError."""
    # Not in a transaction: there pg_stat_activity stays as it was when it was first read.
    con = await asyncpg.connect(database)
    try:
        async with asyncio.timeout(PATIENCE):
            while not or_else() and not await con.fetchval(WAITING):  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.01)
    finally:
        await con.close()
