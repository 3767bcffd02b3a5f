"""Logins to the portal: links that were mailed, and the sessions that they began.

No link and no cookie is stored, only its SHA-256: each is 256 random bits. Addresses are stored as a keyed
hash, for counting, and in plain only where an owner has them.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import asyncpg

LINK_LIFE = timedelta(minutes=15)
LONGEST_SESSION = timedelta(days=30)
ANY_BROWSER = b""  # no SHA-256 is empty
# How many links may be requested: by one network for one address, for an address, by a network.
SAME_BOTH, SAME_ADDRESS, SAME_SOURCE = 3, 12, 20
WINDOW, ADDRESS_WINDOW = timedelta(minutes=15), timedelta(hours=1)
KEPT = timedelta(days=1)  # used and expired links, for counting
ENDED_KEPT = timedelta(days=30)

# Two requests for one address at the same time are counted one after the other.
ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtextextended(encode($1::bytea, 'hex'), 0))"
COUNTS = """
SELECT
    count(*) FILTER (WHERE address_hash = $1 AND source_hash = $2 AND created_at > now() - $3::interval)
        AS both,
    count(*) FILTER (WHERE address_hash = $1) AS address,
    count(*) FILTER (WHERE source_hash = $2 AND created_at > now() - $3::interval) AS source
FROM portal_login WHERE (address_hash = $1 OR source_hash = $2) AND created_at > now() - $4::interval
"""
ADD_LINK = """
INSERT INTO portal_login (link_hash, browser_hash, address_hash, source_hash, owners, address, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, now() + $7)
"""
# A link that cannot be used any more, or in another browser, is as one that never was.
LOOK = """
SELECT owners FROM portal_login
WHERE link_hash = $1 AND browser_hash = ANY ($2) AND used_at IS NULL AND expires_at > now()
    AND owners <> '{}'
"""
USE = """
UPDATE portal_login SET used_at = now()
WHERE link_hash = $1 AND browser_hash = ANY ($2) AND used_at IS NULL AND expires_at > now()
    AND $3 = ANY (owners)
RETURNING address
"""
BEGIN = """
INSERT INTO portal_session (session_hash, owner, address, expires_at, passkey_id)
VALUES ($1, $2, $3, now() + $4, $5)
"""
FIND = """
SELECT owner, address, seen_at < now() - interval '1 minute' AS unseen FROM portal_session
WHERE session_hash = $1 AND ended_at IS NULL AND expires_at > now() AND seen_at > now() - $2::interval
    AND NOT EXISTS (SELECT FROM portal_lock WHERE portal_lock.owner = portal_session.owner)
"""
SEEN = "UPDATE portal_session SET seen_at = now() WHERE session_hash = $1"
END = "UPDATE portal_session SET ended_at = now() WHERE session_hash = $1 AND ended_at IS NULL"
END_ALL = "UPDATE portal_session SET ended_at = now() WHERE owner = $1 AND ended_at IS NULL"
IS_LOCKED = "SELECT EXISTS (SELECT FROM portal_lock WHERE owner = $1)"
SWEEP_LINKS = "DELETE FROM portal_login WHERE created_at < now() - $1::interval"
SWEEP_SESSIONS = "DELETE FROM portal_session WHERE coalesce(ended_at, expires_at) < now() - $1::interval"


@dataclass(frozen=True, slots=True)
class LinkRequest:
    """A request for a link. `owners`: those with this address, none if it is unknown. `link`, `browser`: the
    secrets themselves. `address_hash`, `source_hash`: keyed."""

    link: str
    browser: str
    address_hash: bytes
    source_hash: bytes
    owners: Sequence[str]
    address: str | None


@dataclass(frozen=True, slots=True)
class Session:
    """Who is logged in."""

    owner: str
    address: str


async def request_link(con: asyncpg.Connection, asked: LinkRequest) -> bool:
    """Store a link that is valid for LINK_LIFE; False if there were too many requests: then nothing is."""
    async with con.transaction():
        await con.execute(ONE_AT_A_TIME, asked.address_hash)
        counted = (asked.address_hash, asked.source_hash, WINDOW, ADDRESS_WINDOW)
        (counts,) = await con.fetch(COUNTS, *counted)
        if counts["both"] >= SAME_BOTH or counts["address"] >= SAME_ADDRESS:
            return False
        if counts["source"] >= SAME_SOURCE:
            return False
        hashes = (digest(asked.link), digest(asked.browser), asked.address_hash, asked.source_hash)
        await con.execute(ADD_LINK, *hashes, asked.owners, asked.address, LINK_LIFE)
    return True


async def owners_of_link(con: asyncpg.Connection, link: str, browser: str) -> list[str]:
    """The owners that this link may log in to, in this browser; none if it is not valid."""
    return await con.fetchval(LOOK, digest(link), hashes_of(browser)) or []


async def use_link(con: asyncpg.Connection, link: str, browser: str, owner: str, session: str) -> str | None:
    """Use a link up, and begin this session; return its address, or None: the link is not valid, or the owner
    is locked."""
    async with con.transaction():
        if await con.fetchval(IS_LOCKED, owner):
            return None  # and the link stays valid
        address: str | None = await con.fetchval(USE, digest(link), hashes_of(browser), owner)
        if address is not None:
            await begin_session(con, owner, address, session)
    return address


async def begin_session(
    con: asyncpg.Connection, owner: str, address: str, session: str, passkey_id: int | None = None
) -> bool:
    """Log somebody in; False if the owner is locked."""
    if await con.fetchval(IS_LOCKED, owner):
        return False
    await con.execute(BEGIN, digest(session), owner, address, LONGEST_SESSION, passkey_id)
    return True


async def add_link(con: asyncpg.Connection, link: str, owner: str, address: str) -> None:
    """Store a link for this address that counts in any browser, once, for LINK_LIFE."""
    await con.execute(ADD_LINK, digest(link), ANY_BROWSER, b"", b"", [owner], address, LINK_LIFE)


def hashes_of(browser: str) -> list[bytes]:
    """What a link may have stored that counts in this browser; "" is a browser that has not asked."""
    return [ANY_BROWSER, *([digest(browser)] if browser else [])]


async def find_session(con: asyncpg.Connection, session: str, idle: timedelta) -> Session | None:
    """Who is logged in with this cookie; None if it ended, or was unused for longer than `idle`."""
    row = await con.fetchrow(FIND, digest(session), idle)
    if row is None:
        return None
    if row["unseen"]:
        await con.execute(SEEN, digest(session))
    return Session(row["owner"], row["address"])


async def end_session(con: asyncpg.Connection, session: str) -> None:
    await con.execute(END, digest(session))


async def end_sessions_of(con: asyncpg.Connection, owner: str) -> None:
    """Log everybody out who is logged in for this owner."""
    await con.execute(END_ALL, owner)


async def sweep(con: asyncpg.Connection) -> None:
    """Delete what is not needed any more, not even for counting."""
    await con.execute(SWEEP_LINKS, KEPT)
    await con.execute(SWEEP_SESSIONS, ENDED_KEPT)


def digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
