"""Tokens of the API: each is for one owner, has scopes, is shown once, and can be revoked.

A token is 256 random bits. The database has a keyed hash of it, so that neither a reader of the database nor
somebody who may write to it can make one.
"""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

import asyncpg

from storage.access import this_process
from storage.key_wrapper import derive

PREFIX = "callengine_"
SHAPE = re.compile(PREFIX + "[A-Za-z0-9_-]{43}", re.ASCII)

ADD = """
INSERT INTO api_token (owner, name, scopes, token_hash, operator, host, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, now() + $7::interval) RETURNING token_id
"""
FIND = """
SELECT token_id, owner, name, scopes, used_at IS NULL OR used_at < now() - interval '1 minute' AS unused
FROM api_token
WHERE token_hash = ANY($1) AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
    AND NOT EXISTS (SELECT FROM portal_lock WHERE portal_lock.owner = api_token.owner)
"""
USED = "UPDATE api_token SET used_at = now() WHERE token_id = $1"
REVOKE = """
UPDATE api_token SET revoked_at = now() WHERE token_id = $1 AND revoked_at IS NULL RETURNING token_id
"""
ALL = """
SELECT token_id, owner, name, array_to_string(scopes, ' ') AS scopes, created_at, operator, expires_at,
    used_at, revoked_at
FROM api_token WHERE $1::text IS NULL OR owner = $1 ORDER BY token_id
"""


class Scope(StrEnum):
    """What a token may read, or do."""

    CALLS = "calls"
    MESSAGES = "messages"
    RECORDINGS = "recordings"
    AUDIO = "audio"
    NUMBERS = "numbers"
    ACCESSES = "accesses"
    STATISTICS = "statistics"
    SETTINGS = "settings"
    WRITE_SETTINGS = "settings:write"
    SEND_MESSAGES = "messages:send"
    DESTROY_RECORDINGS = "recordings:destroy"
    SWITCH = "switches:write"


@dataclass(frozen=True, slots=True)
class Token:
    """A token that counts. `name`: what it is for."""

    token_id: int
    owner: str
    name: str
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token to be made. `life` None: it never expires."""

    owner: str
    name: str
    scopes: frozenset[Scope]
    life: timedelta | None = None


class TokenHashes:
    """Keyed hashes of tokens. The key is derived from the master key; the first one hashes new tokens.

    Raises MasterKeyError.
    """

    def __init__(self, master_keys: str) -> None:
        self._keys = derive(master_keys, "api tokens")

    def of(self, token: str) -> list[bytes]:
        """By each of the keys; none of a text that cannot be a token."""
        if not SHAPE.fullmatch(token):
            return []
        return [hmac.digest(key, token.encode(), hashlib.sha256) for key in self._keys]


async def create(con: asyncpg.Connection, hashes: TokenHashes, wanted: NewToken) -> str:
    """Make a token and return it; it cannot be read again."""
    token, actor = PREFIX + secrets.token_urlsafe(32), this_process()
    by = (actor.operator, actor.host)
    scopes = sorted(wanted.scopes)
    await con.execute(ADD, wanted.owner, wanted.name, scopes, hashes.of(token)[0], *by, wanted.life)
    return token


async def find(con: asyncpg.Connection, hashes: TokenHashes, text: str) -> Token | None:
    """The token of this text; None when it is unknown, revoked or expired, or its owner is locked."""
    row = await con.fetchrow(FIND, found) if (found := hashes.of(text)) else None
    if row is None:
        return None
    if row["unused"]:
        await con.execute(USED, row["token_id"])
    return Token(row["token_id"], row["owner"], row["name"], frozenset(row["scopes"]))


async def revoke(con: asyncpg.Connection, token_id: int) -> bool:
    """It counts no more from now on; False when there is none that counts."""
    return await con.fetchval(REVOKE, token_id) is not None
