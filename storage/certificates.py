"""Certificates of erased callers: a line each, without the number, in a chain of hashes as tombstones are."""

import hashlib
import json
from contextlib import aclosing
from dataclasses import asdict, dataclass
from datetime import datetime

import asyncpg

from storage.rows import rows_of
from storage.tombstones import NOTHING, in_utc

LOCK = 0x65726173  # "eras": of two workers that certify at once, one waits for the other

LAST = "SELECT seq, hash FROM erasure_certificate ORDER BY seq DESC LIMIT 1"
ALL = "SELECT * FROM erasure_certificate ORDER BY seq"
OF_ERASURE = "SELECT seq, hash, issued_at FROM erasure_certificate WHERE erasure_id = $1 ORDER BY seq"
ADD = """
INSERT INTO erasure_certificate (erasure_id, caller_hash, until, asked_at, issued_at, reason, operator, host,
    calls, messages, audio, held, seq, prev, hash)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
"""


@dataclass(frozen=True, slots=True)
class Certificate:
    """That the number was in no store of ours at `issued_at`. `held`: recordings under a legal hold, kept."""

    erasure_id: int
    caller_hash: str
    until: datetime
    asked_at: datetime
    issued_at: datetime
    reason: str
    operator: str
    host: str
    calls: int
    messages: int
    audio: int
    held: list[str]

    def hash(self, seq: int, prev: str) -> str:
        """SHA-256, in hex, of the line before and this line as canonical JSON, instants in UTC."""
        facts = {
            name: in_utc(fact) if isinstance(fact, datetime) else fact for name, fact in asdict(self).items()
        }
        text = json.dumps({**facts, "seq": seq, "prev": prev}, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


async def add(con: asyncpg.Connection, certificate: Certificate) -> int:
    """Add the next line, in the caller's transaction; return its number."""
    await con.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
    last = await con.fetchrow(LAST)
    seq, prev = (last["seq"] + 1, last["hash"]) if last else (1, NOTHING)
    columns = [getattr(certificate, name) for name in Certificate.__dataclass_fields__]
    await con.execute(ADD, *columns, seq, prev, certificate.hash(seq, prev))
    return int(seq)


async def broken(con: asyncpg.Connection) -> str:
    """The first line that does not fit, and why; "" when all do."""
    seq, prev = 0, NOTHING
    async with aclosing(rows_of(con, ALL)) as lines:
        async for row in lines:
            if row["seq"] != seq + 1:
                return f"certificate {seq + 1} is missing"
            seq = row["seq"]
            line = Certificate(**{name: row[name] for name in Certificate.__dataclass_fields__})
            if row["prev"] != prev or row["hash"] != line.hash(seq, prev):
                return f"certificate {seq} was changed, or one before it"
            prev = row["hash"]
    return ""
