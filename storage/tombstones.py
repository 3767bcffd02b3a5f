"""Tombstones: the proof of every destruction, one line each, in a chain of hashes.

Each line's hash covers the line and the hash before it: if a line is changed, removed or inserted, no later
hash fits. A chain cannot show that its end was cut off: for that, store its head somewhere else, and give it
to `callengine audit --head`.
"""

import hashlib
import json
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import asyncpg

from storage.rows import rows_of

LOCK = 0x746F6D62  # "tomb": of two workers that destroy at once, one waits for the other
NOTHING = "0" * 64  # `prev` of the first line

LAST = "SELECT seq, hash FROM tombstone ORDER BY seq DESC LIMIT 1"
ALL = "SELECT * FROM tombstone ORDER BY seq"
ADD = """
INSERT INTO tombstone (audio_id, kind, owner, began, destroy_after, destroyed_at, reason, method, versions,
    cipher_sha256, seq, prev, hash)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
"""


@dataclass(frozen=True, slots=True)
class Tombstone:
    """The facts about destroyed audio; none about the caller. Instants are aware."""

    audio_id: str
    kind: str
    owner: str
    began: datetime
    destroy_after: datetime | None
    destroyed_at: datetime
    reason: str  # delivered | deadline | owner | operator | absent | orphan | erasure
    method: str  # key+object | file
    versions: int
    cipher_sha256: str | None

    def hash(self, seq: int, prev: str) -> str:
        """SHA-256, in hex, of the previous line's hash and this line as canonical JSON, instants in UTC."""
        facts = {
            name: in_utc(fact) if isinstance(fact, datetime) else fact for name, fact in asdict(self).items()
        }
        text = json.dumps({**facts, "seq": seq, "prev": prev}, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Head:
    """The newest line: `12:9f86d0...` stands for the whole chain up to it."""

    seq: int = 0
    hash: str = NOTHING

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash}"


@dataclass(slots=True)
class Chain:
    """The result of verifying the chain. `broken`: the first line that does not fit, and why."""

    head: Head = Head()
    broken: str = ""
    passed: bool = True  # through the earlier head that was given


async def add(con: asyncpg.Connection, tombstone: Tombstone) -> Head:
    """Add the next line, in the caller's transaction: until that ends, no other worker can add one."""
    await con.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
    last = await con.fetchrow(LAST)
    prev = Head(last["seq"], last["hash"]) if last else Head()
    head = Head(prev.seq + 1, tombstone.hash(prev.seq + 1, prev.hash))
    columns = [getattr(tombstone, name) for name in Tombstone.__dataclass_fields__]
    await con.execute(ADD, *columns, head.seq, prev.hash, head.hash)
    return head


async def verify(con: asyncpg.Connection, earlier: Head | None = None) -> Chain:
    """Verify the whole chain. `earlier`: an earlier head, through which it must still pass."""
    chain = Chain(passed=earlier is None or earlier == Head())
    async with aclosing(rows_of(con, ALL)) as lines:
        async for row in lines:
            chain.broken = misfit(row, chain.head)
            if chain.broken:
                break
            chain.head = Head(row["seq"], row["hash"])
            chain.passed = chain.passed or chain.head == earlier
    return chain


def misfit(row: Mapping[str, Any] | asyncpg.Record, before: Head) -> str:
    """Why this line cannot follow the line `before`; "" when it can."""
    if row["seq"] != before.seq + 1:
        return f"line {before.seq + 1} is missing"
    tombstone = Tombstone(**{name: row[name] for name in Tombstone.__dataclass_fields__})
    if row["prev"] != before.hash or row["hash"] != tombstone.hash(row["seq"], row["prev"]):
        return f"line {row['seq']} ({row['audio_id']}) was changed, or one before it"
    return ""


def in_utc(instant: datetime) -> str:
    """To the microsecond, as PostgreSQL stores it: read back, it gives the same text."""
    return instant.astimezone(UTC).isoformat(timespec="microseconds")
