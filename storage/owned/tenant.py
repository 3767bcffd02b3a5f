"""A database connection that sees the rows of one owner, and of no other.

PostgreSQL itself holds that (row level security, storage/grants.py), if the role is the portal's. The
statements of this package name the owner too: each of the two is enough by itself.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import asyncpg

ACQUIRE_SECONDS = 10.0
ASK_FOR = "SELECT set_config('app.owner', $1, false)"
# Roles that own the tables, or are superusers, see every row whatever the policies say.
IS_LIMITED = "SELECT row_security_active('call') AND row_security_active('keys.audio_key')"
# A statement's plan depends on the filter that it is given: an index for each.
SERVER_SETTINGS = {"plan_cache_mode": "force_custom_plan", "application_name": "callengine portal"}


class RoleUnlimited(Exception):
    """This database role sees the rows of all owners; the text says what to do."""


async def connect(database: str, connections: int, seconds: float) -> asyncpg.Pool:
    """A pool for `owned()`. `seconds`: the longest statement. Connects when it is used.

    The pool resets a connection that is released, so that no query is ever asked for an earlier owner.
    """
    pool = asyncpg.create_pool(
        database,
        min_size=0,
        max_size=connections,
        timeout=5,
        command_timeout=seconds,
        server_settings=SERVER_SETTINGS,
    )
    await pool
    return pool


async def require_limited(con: asyncpg.Connection) -> None:
    """Raises RoleUnlimited unless this role sees one owner's rows at a time."""
    if not await con.fetchval(IS_LIMITED):
        raise RoleUnlimited(
            "the database role of the portal sees the rows of all owners: give portal.database the URL of "
            "the role callengine_portal, and run `callengine migrate` as the schema's owner"
        )


@asynccontextmanager
async def owned(pool: asyncpg.Pool, owner: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection that sees the rows of this owner."""
    async with nobodys(pool) as con:
        await con.execute(ASK_FOR, owner)
        yield con


@asynccontextmanager
async def nobodys(pool: asyncpg.Pool) -> AsyncIterator[asyncpg.Connection]:
    """A connection that sees no owner's rows: for logins."""
    async with pool.acquire(timeout=ACQUIRE_SECONDS) as con:
        yield cast("asyncpg.Connection", con)
