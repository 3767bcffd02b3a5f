"""What an owner changes of their own settings, over the operator's file; and addresses to be confirmed.

Changes of one owner are made one after the other: two confirmations at once are two addresses.
"""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import asyncpg

from storage import access
from storage.access import Access, Actor
from storage.owned.logins import digest

LINK_LIFE = timedelta(hours=24)
MOST_PENDING = 5  # links of an owner in LINK_LIFE
KEPT = timedelta(days=30)

ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtextextended('owner ' || $1::text, 0))"
CHANGES = "SELECT setting, value::text AS value FROM owner_change WHERE owner = $1"
PUT = """
INSERT INTO owner_change (owner, setting, value, changed_by) VALUES ($1, $2, $3::text::jsonb, $4)
ON CONFLICT (owner, setting)
DO UPDATE SET value = EXCLUDED.value, changed_at = now(), changed_by = EXCLUDED.changed_by
"""
TAKE_BACK = "DELETE FROM owner_change WHERE owner = $1 AND setting = $2"
PENDING = """
SELECT address, setting, expires_at FROM owner_address
WHERE owner = $1 AND used_at IS NULL AND expires_at > now() ORDER BY created_at
"""
REQUESTED = "SELECT count(*) FROM owner_address WHERE owner = $1 AND created_at > now() - $2::interval"
REQUEST = """
INSERT INTO owner_address (link_hash, owner, address, setting, asked_by, expires_at)
VALUES ($1, $2, $3, $4, $5, now() + $6)
"""
LOOK = """
SELECT address, setting, asked_by FROM owner_address
WHERE owner = $1 AND link_hash = $2 AND used_at IS NULL AND expires_at > now()
    AND NOT EXISTS (SELECT FROM portal_lock WHERE portal_lock.owner = owner_address.owner)
"""
USE = "UPDATE owner_address SET used_at = now() WHERE owner = $1 AND link_hash = $2"
DROP = "DELETE FROM owner_address WHERE owner = $1 AND address = $2 AND used_at IS NULL RETURNING address"
SWEEP = "DELETE FROM owner_address WHERE owner = $1 AND created_at < now() - $2::interval"
NOTIFY = """
INSERT INTO owner_notice (owner, recipient, what, address, language, require_tls)
VALUES ($1, $2, $3, $4, $5, $6)
"""
# Recordings that a shorter retention destroys: at once, and later but earlier than agreed.
SHORTENED = """
SELECT count(*) FILTER (WHERE recording.ended + $2 <= now()) AS now,
    count(*) FILTER (WHERE recording.ended + $2 > now()) AS earlier
FROM audio JOIN recording USING (audio_id)
WHERE audio.owner = $1 AND audio.kind = 'recording' AND audio.state IN ('recorded', 'stored')
    AND audio.hold IS NULL AND audio.destroy_after > recording.ended + $2
"""


@dataclass(frozen=True, slots=True)
class Pending:
    """An address that waits for its confirmation. `setting`: mail or mail_then."""

    address: str
    setting: str
    expires_at: datetime | None = None
    asked_by: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """New values by setting, as a file would have them. `ground`: what the operator's file has.

    `detail`: for the access log.
    """

    values: Mapping[str, Any]
    ground: Mapping[str, Any]
    detail: str


@dataclass(frozen=True, slots=True)
class Notice:
    """Mails to these recipients that `address`, or the passkey of that name, was added or removed."""

    what: str
    address: str
    recipients: tuple[str, ...]
    language: str
    require_tls: bool


@asynccontextmanager
async def alone(con: asyncpg.Connection, owner: str) -> AsyncIterator[dict[str, Any]]:
    """A transaction in which nobody else changes this owner; yield the changes so far."""
    async with con.transaction():
        await con.execute(ONE_AT_A_TIME, owner)
        yield await changes(con, owner)


async def changes(con: asyncpg.Connection, owner: str) -> dict[str, Any]:
    """The owner's own changes, by setting."""
    return {row["setting"]: json.loads(row["value"]) for row in await con.fetch(CHANGES, owner)}


async def put(con: asyncpg.Connection, owner: str, change: Change, actor: Actor) -> None:
    """Store new values, with a line in the access log; in the caller's transaction.

    A value that the operator's file has anyway is no change any more: a later file counts again.
    """
    for setting, value in change.values.items():
        if value == change.ground[setting]:
            await con.execute(TAKE_BACK, owner, setting)
        else:
            await con.execute(PUT, owner, setting, json.dumps(value), actor.operator)
    await access.add(con, None, Access.CHANGE, actor, owner=owner, detail=change.detail)


async def notify(con: asyncpg.Connection, owner: str, notice: Notice) -> None:
    """Have the worker mail it; in the caller's transaction."""
    for recipient in notice.recipients:
        told = (recipient, notice.what, notice.address, notice.language, notice.require_tls)
        await con.execute(NOTIFY, owner, *told)


async def pending(con: asyncpg.Connection, owner: str) -> list[Pending]:
    """The addresses that wait for their confirmation, oldest first."""
    return [Pending(**row) for row in await con.fetch(PENDING, owner)]


async def request_address(con: asyncpg.Connection, owner: str, link: str, wanted: Pending) -> bool:
    """Store a link that confirms this address; False if there were too many: then nothing is stored."""
    async with alone(con, owner):
        await con.execute(SWEEP, owner, KEPT)
        if await con.fetchval(REQUESTED, owner, LINK_LIFE) >= MOST_PENDING:
            return False
        await con.execute(DROP, owner, wanted.address)
        told = (wanted.address, wanted.setting, wanted.asked_by, LINK_LIFE)
        await con.execute(REQUEST, digest(link), owner, *told)
    return True


async def withdraw(con: asyncpg.Connection, owner: str, address: str) -> bool:
    """Drop the link for an address that has not been confirmed; False if there is none."""
    return await con.fetchval(DROP, owner, address) is not None


async def find_address(con: asyncpg.Connection, owner: str, link: str) -> Pending | None:
    """The address that this link confirms; None if it is not valid any more."""
    row = await con.fetchrow(LOOK, owner, digest(link))
    return Pending(row["address"], row["setting"], asked_by=row["asked_by"]) if row else None


async def use_address(con: asyncpg.Connection, owner: str, link: str) -> None:
    """Use the link up; in the caller's transaction."""
    await con.execute(USE, owner, digest(link))


async def shortened(con: asyncpg.Connection, owner: str, keep: timedelta) -> tuple[int, int]:
    """How many recordings this retention destroys at once, and how many later but earlier than agreed."""
    row = await con.fetchrow(SHORTENED, owner, keep)
    assert row is not None, "a count has a row"  # noqa: S101 - for mypy
    return row["now"], row["earlier"]
