"""Owners and the portal, for the operator: who is locked, who is logged in, who has tokens."""

from collections.abc import Mapping
from typing import Any

import asyncpg

from storage.access import this_process

LOCK = """
WITH locked AS (
    INSERT INTO portal_lock (owner, reason, locked_by) VALUES ($1, $2, $3)
    ON CONFLICT (owner) DO NOTHING
)
UPDATE portal_session SET ended_at = now() WHERE owner = $1 AND ended_at IS NULL
"""
UNLOCK = "DELETE FROM portal_lock WHERE owner = $1 RETURNING owner"
OVERVIEW = """
SELECT owner, sum(logged_in)::int AS logged_in, sum(tokens)::int AS tokens, max(locked) AS locked FROM (
    SELECT owner, 1 AS logged_in, 0 AS tokens, NULL AS locked FROM portal_session
    WHERE ended_at IS NULL AND expires_at > now()
    UNION ALL
    SELECT owner, 0, 1, NULL FROM api_token
    WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
    UNION ALL
    SELECT owner, 0, 0, reason || ', by ' || locked_by FROM portal_lock
) AS seen GROUP BY owner
"""
NOTHING: Mapping[str, Any] = {"logged_in": 0, "tokens": 0, "locked": ""}


async def lock(con: asyncpg.Connection, owner: str, reason: str) -> None:
    """Lock this owner out, and end their logins."""
    await con.execute(LOCK, owner, reason, this_process().operator)


async def unlock(con: asyncpg.Connection, owner: str) -> bool:
    """False when this owner is not locked."""
    return await con.fetchval(UNLOCK, owner) is not None


async def overview(con: asyncpg.Connection) -> Mapping[str, Mapping[str, Any]]:
    """How many logins and tokens each owner has, and why they are locked. Owners with none are absent."""
    rows = await con.fetch(OVERVIEW)
    return {
        row["owner"]: {"logged_in": row["logged_in"], "tokens": row["tokens"], "locked": row["locked"] or ""}
        for row in rows
    }
