"""A claim on a sound: leased, never held, with the next attempt written before this one is made.

Whatever happens to the one who claimed it, it is due again by itself; there is no state called "doing". Two
who work on one sound at once do no harm, they only do it twice.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Self

import asyncpg

# Nobody has it in hand, and it need not wait after an attempt that came to nothing.
FREE = "next_at <= now() AND (lease_until IS NULL OR lease_until < now())"
# What a claim writes: the lease, and when to try again should it come to nothing (1, 2, 4 ... 64 s).
CLAIM = """
UPDATE audio SET
    lease_until = now() + interval '2 minutes', leased_by = $1, attempts = attempts + 1,
    next_at = now() + interval '1 second' * 2 ^ least(attempts, 6)
WHERE audio_id = (
    SELECT audio_id FROM audio
    WHERE {due}
    ORDER BY {first} LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING *
"""

LET_GO = "UPDATE audio SET lease_until = NULL WHERE audio_id = $1 AND attempts = $2"
LET_ALL_GO = "UPDATE audio SET lease_until = NULL WHERE leased_by = $1 AND lease_until > now()"


@dataclass(frozen=True, slots=True)
class Audio:
    """A row of `audio`, as claimed."""

    audio_id: str
    kind: str
    call_id: str
    owner: str
    node: str
    state: str
    began: datetime
    ended: datetime | None
    how: str | None
    noted_at: datetime
    destroy_after: datetime | None
    reason: str | None
    cipher_sha256: str | None
    attempts: int

    @classmethod
    def of(cls, row: asyncpg.Record) -> Self:
        told = {name: row[name] for name in cls.__dataclass_fields__}
        return cls(**{**told, "call_id": str(row["call_id"])})


async def claim(con: asyncpg.Connection, statement: str, node: str) -> Audio | None:
    """The next sound that is due by `statement`, ours for a while; None when there is none."""
    row = await con.fetchrow(statement, node)
    return Audio.of(row) if row else None


async def let_go(con: asyncpg.Connection, audio: Audio) -> None:
    """Give it back after an attempt that came to nothing: it is due at its next attempt."""
    await con.execute(LET_GO, audio.audio_id, audio.attempts)


async def let_all_go(con: asyncpg.Connection, node: str) -> None:
    """What a worker of this node that is gone has claimed is due again."""
    await con.execute(LET_ALL_GO, node)
