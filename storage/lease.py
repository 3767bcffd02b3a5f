"""A claim on audio: a lease that runs out by itself, with the next attempt written before this one is made.

Whatever happens to the worker that claimed it, the audio is due again later; there is no state "doing". Two
workers that process the same audio at once do no harm, they only do the work twice.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Self

import asyncpg

from storage.audio_states import AudioState

# No worker has claimed it, and the pause after a failed attempt is over.
FREE = "next_at <= now() AND (lease_until IS NULL OR lease_until < now())"
# A claim writes the lease, and when the next attempt is due if this one fails (after 1, 2, 4 ... 64 s).
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

RELEASE = "UPDATE audio SET lease_until = NULL WHERE audio_id = $1 AND attempts = $2"
RELEASE_ALL = "UPDATE audio SET lease_until = NULL WHERE leased_by = $1 AND lease_until > now()"


@dataclass(frozen=True, slots=True)
class Audio:
    """A row of `audio`, as claimed."""

    audio_id: str
    kind: str
    call_id: str
    owner: str
    node: str
    state: AudioState
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
        columns = {name: row[name] for name in cls.__dataclass_fields__}
        return cls(**{**columns, "call_id": str(row["call_id"]), "state": AudioState(row["state"])})


async def claim(con: asyncpg.Connection, statement: str, node: str) -> Audio | None:
    """Claim the next audio that is due by `statement`; None when none is due."""
    row = await con.fetchrow(statement, node)
    return Audio.of(row) if row else None


async def release(con: asyncpg.Connection, audio: Audio) -> None:
    """Give up the lease after a failed attempt: the audio is due at its next attempt."""
    await con.execute(RELEASE, audio.audio_id, audio.attempts)


async def release_all(con: asyncpg.Connection, node: str) -> None:
    """Give up all leases of this node's worker, or of an earlier one that is gone."""
    await con.execute(RELEASE_ALL, node)
