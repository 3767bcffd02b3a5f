"""The proof of every destruction: one line each, in a chain of hashes.

Each line's hash covers the line and the hash before it: none can be changed, taken out or put in between
without every later one betraying it. What a chain cannot show is that its end was cut off: for that, note
its head somewhere else, and have `callengine audit --head` look for it.
"""

import hashlib
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import asyncpg

LOCK = 0x746F6D62  # "tomb": two who destroy at once write one after the other
NOTHING = "0" * 64  # what stands before the first line
READ = 1_000  # lines at a time

LAST = "SELECT seq, hash FROM tombstone ORDER BY seq DESC LIMIT 1"
ALL = "SELECT * FROM tombstone ORDER BY seq"
ADD = """
INSERT INTO tombstone (audio_id, kind, owner, began, destroy_after, destroyed_at, reason, method, versions,
    cipher_sha256, seq, prev, hash)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
"""


@dataclass(frozen=True, slots=True)
class Tombstone:
    """What is written about a destroyed sound: nothing of who called. Instants are aware."""

    audio_id: str
    kind: str
    owner: str
    began: datetime
    destroy_after: datetime | None
    destroyed_at: datetime
    reason: str  # delivered | deadline | owner | operator | absent | orphan
    method: str  # key+object | file
    versions: int
    cipher_sha256: str | None

    def hash(self, seq: int, prev: str) -> str:
        """SHA-256, in hex, over the line before and this one as canonical JSON, instants in UTC."""
        told = {name: in_utc(it) if isinstance(it, datetime) else it for name, it in asdict(self).items()}
        text = json.dumps({**told, "seq": seq, "prev": prev}, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Head:
    """The newest line: `12:9f86d0...` is the whole chain up to it."""

    seq: int = 0
    hash: str = NOTHING

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash}"


@dataclass(slots=True)
class Chain:
    """What a walk along the chain has found. `broken`: the first line that does not fit, and why."""

    head: Head = Head()
    broken: str = ""
    passed: bool = True  # the head that was to be looked for


async def add(con: asyncpg.Connection, tombstone: Tombstone) -> Head:
    """Write the next line, in the caller's transaction: until that ends, nobody else can write one."""
    await con.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
    last = await con.fetchrow(LAST)
    prev = Head(last["seq"], last["hash"]) if last else Head()
    head = Head(prev.seq + 1, tombstone.hash(prev.seq + 1, prev.hash))
    told = [getattr(tombstone, name) for name in Tombstone.__dataclass_fields__]
    await con.execute(ADD, *told, head.seq, prev.hash, head.hash)
    return head


async def verify(con: asyncpg.Connection, noted: Head | None = None) -> Chain:
    """Walk along the whole chain. `noted`: a head of before, which it must still pass through."""
    chain = Chain(passed=noted is None or noted == Head())
    async with aclosing(rows(con)) as lines:
        async for row in lines:
            chain.broken = misfit(row, chain.head)
            if chain.broken:
                break
            chain.head = Head(row["seq"], row["hash"])
            chain.passed = chain.passed or chain.head == noted
    return chain


def misfit(row: asyncpg.Record, before: Head) -> str:
    """Why this line cannot follow on that one; "" when it does."""
    if row["seq"] != before.seq + 1:
        return f"line {before.seq + 1} is missing"
    tombstone = Tombstone(**{name: row[name] for name in Tombstone.__dataclass_fields__})
    if row["prev"] != before.hash or row["hash"] != tombstone.hash(row["seq"], row["prev"]):
        return f"line {row['seq']} ({row['audio_id']}) was changed, or one before it"
    return ""


async def rows(con: asyncpg.Connection) -> AsyncGenerator[asyncpg.Record]:
    """Every line, as of one moment."""
    async with con.transaction(isolation="repeatable_read", readonly=True):
        cursor = await con.cursor(ALL)
        while lines := await cursor.fetch(READ):
            for line in lines:
                yield line


def in_utc(instant: datetime) -> str:
    """To the microsecond, which is what PostgreSQL keeps: read back, it is the same text."""
    return instant.astimezone(UTC).isoformat(timespec="microseconds")
