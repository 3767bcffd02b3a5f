"""An owner's passkeys, and the challenges that devices sign.

A challenge counts once, for LIFE, in the browser that asked for it. How many a network may ask for is limited
as for links.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg

from storage.owned.logins import ONE_AT_A_TIME, SAME_SOURCE, WINDOW, digest

LIFE = timedelta(minutes=5)
KEPT = timedelta(days=1)  # challenges, for counting
MOST = 20  # passkeys of an owner
LOGIN = ""  # whose challenge it is before a login

REQUESTED = """
SELECT count(*) FROM passkey_challenge WHERE source_hash = $1 AND created_at > now() - $2::interval
"""
USE_UP = "UPDATE passkey_challenge SET used_at = now() WHERE browser_hash = $1 AND used_at IS NULL"
REQUEST = """
INSERT INTO passkey_challenge (challenge, browser_hash, source_hash, owner, expires_at)
VALUES ($1, $2, $3, $4, now() + $5)
"""
TAKE = """
UPDATE passkey_challenge SET used_at = now()
WHERE browser_hash = $1 AND owner = $2 AND used_at IS NULL AND expires_at > now() RETURNING challenge
"""
OWNER = "SELECT owner_of_passkey($1)"
COLUMNS = "passkey_id, address, credential_id, public_key, user_handle, sign_count, name, created_at, used_at"
OF = f"SELECT {COLUMNS} FROM passkey WHERE owner = $1 ORDER BY created_at, passkey_id"  # noqa: S608 - constant
FIND = f"SELECT {COLUMNS} FROM passkey WHERE owner = $1 AND credential_id = $2 FOR UPDATE"  # noqa: S608
ADD = """
INSERT INTO passkey (owner, address, credential_id, public_key, user_handle, sign_count, name)
SELECT $1, $2, $3, $4, $5, $6, $7 WHERE (SELECT count(*) FROM passkey WHERE owner = $1) < $8
    AND EXISTS (SELECT FROM portal_session WHERE session_hash = $9 AND owner = $1 AND ended_at IS NULL)
ON CONFLICT (credential_id) DO NOTHING RETURNING passkey_id
"""
USED = "UPDATE passkey SET sign_count = $3, used_at = now() WHERE owner = $1 AND passkey_id = $2"
REMOVE = "DELETE FROM passkey WHERE owner = $1 AND passkey_id = $2 RETURNING name"
REMOVE_OF = "DELETE FROM passkey WHERE owner = $1 AND address = $2"
END_SESSIONS = """
UPDATE portal_session SET ended_at = now()
WHERE owner = $1 AND passkey_id = $2 AND session_hash <> $3 AND ended_at IS NULL
"""
SWEEP = "DELETE FROM passkey_challenge WHERE created_at < now() - $1::interval"


@dataclass(frozen=True, slots=True)
class Passkey:
    """`address`: with which the person had logged in. `sign_count`: of the last login, by the device."""

    passkey_id: int
    address: str
    credential_id: bytes
    public_key: bytes
    user_handle: bytes
    sign_count: int
    name: str
    created_at: datetime
    used_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewPasskey:
    """What a device has made, for the person who is logged in with `address`."""

    address: str
    credential_id: bytes
    public_key: bytes
    user_handle: bytes
    sign_count: int
    name: str


@dataclass(frozen=True, slots=True)
class ChallengeRequest:
    """A challenge to store. `browser`: the secret of its cookie. `owner`: who adds a passkey, or LOGIN."""

    challenge: bytes
    browser: str
    source_hash: bytes
    owner: str = LOGIN


async def request_challenge(con: asyncpg.Connection, asked: ChallengeRequest) -> bool:
    """Store it; earlier ones of this browser count no more. False if there were too many: then nothing is."""
    async with con.transaction():
        await con.execute(ONE_AT_A_TIME, asked.source_hash)
        if await con.fetchval(REQUESTED, asked.source_hash, WINDOW) >= SAME_SOURCE:
            return False
        await con.execute(USE_UP, digest(asked.browser))
        hashes = (digest(asked.browser), asked.source_hash)
        await con.execute(REQUEST, asked.challenge, *hashes, asked.owner, LIFE)
    return True


async def take_challenge(con: asyncpg.Connection, browser: str, owner: str = LOGIN) -> bytes | None:
    """Use up the challenge of this browser, and return it; None if there is none that counts."""
    challenge: bytes | None = await con.fetchval(TAKE, digest(browser), owner)
    return challenge


async def owner_of(con: asyncpg.Connection, credential_id: bytes) -> str | None:
    """Whose passkey this is; None if it is nobody's."""
    owner: str | None = await con.fetchval(OWNER, credential_id)
    return owner


async def of(con: asyncpg.Connection, owner: str) -> list[Passkey]:
    """The owner's passkeys, oldest first."""
    return [Passkey(**row) for row in await con.fetch(OF, owner)]


async def find(con: asyncpg.Connection, owner: str, credential_id: bytes) -> Passkey | None:
    """One passkey, locked until the end of the caller's transaction; None if the owner has no such one."""
    row = await con.fetchrow(FIND, owner, credential_id)
    return Passkey(**row) if row else None


async def add(con: asyncpg.Connection, owner: str, new: NewPasskey, session: str) -> bool:
    """False if it is known already, the owner has MOST, or this session has ended meanwhile."""
    values = (new.address, new.credential_id, new.public_key, new.user_handle, new.sign_count, new.name)
    return await con.fetchval(ADD, owner, *values, MOST, digest(session)) is not None


async def mark_used(con: asyncpg.Connection, owner: str, passkey_id: int, sign_count: int) -> None:
    await con.execute(USED, owner, passkey_id, sign_count)


async def remove(con: asyncpg.Connection, owner: str, passkey_id: int, session: str) -> str | None:
    """Remove it, and end the sessions that it began, but for this one; return its name. None: no such one."""
    name: str | None = await con.fetchval(REMOVE, owner, passkey_id)
    if name is not None:
        await con.execute(END_SESSIONS, owner, passkey_id, digest(session))
    return name


async def remove_of(con: asyncpg.Connection, owner: str, address: str) -> None:
    """Remove those of a person whose address is removed, or belongs to somebody else now."""
    await con.execute(REMOVE_OF, owner, address)


async def sweep(con: asyncpg.Connection) -> None:
    """Delete challenges that are not needed any more, not even for counting."""
    await con.execute(SWEEP, KEPT)
