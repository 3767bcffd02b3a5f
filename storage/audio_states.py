"""The states of audio, of a message or of a recording (table `audio`): every transition, and its SQL.

    recorded   in the spool of its node, in plain, not stored yet
    stored     encrypted in the object store, its key in the database
    absent     there is nothing to store: why is in the column `why`
    shredded   its key is deleted, so nobody can hear it again; copies may still lie in the object store
    destroyed  every copy is deleted, and it has a tombstone

No other module writes these states (tests/unit/test_states.py). Every function runs in the caller's
transaction. A transition that the table does not allow changes nothing, and the function returns False or
None.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import asyncpg

from storage.transitions import Transitions


class AudioState(StrEnum):
    RECORDED = "recorded"
    STORED = "stored"
    ABSENT = "absent"
    SHREDDED = "shredded"
    DESTROYED = "destroyed"


class Event(StrEnum):
    DRAINED = "drained from the journal"
    ORPHANED = "file in the spool that belongs to no call"
    STORED = "encrypted, uploaded and read back"
    ABSENT = "no file, or no speech in it"
    SHREDDED = "key deleted when due"
    DESTROYED = "every copy deleted"
    DESTROYED_SINCE = "destroyed after the backup that is restored"
    UNKNOWN_SINCE = "stored and destroyed after the backup that is restored"


RECORDED, STORED, ABSENT, SHREDDED, DESTROYED = AudioState

# fmt: off
TRANSITIONS = Transitions(
    # from                         event            to         who
    ((),                           Event.DRAINED,   RECORDED,  "drainer"),
    ((),                           Event.ORPHANED,  ABSENT,    "sweeper"),
    ((RECORDED,),                  Event.STORED,    STORED,    "sealer"),
    ((RECORDED,),                  Event.ABSENT,    ABSENT,    "sealer"),
    ((RECORDED, STORED, ABSENT),   Event.SHREDDED,  SHREDDED,  "destroyer"),
    ((SHREDDED,),                  Event.DESTROYED, DESTROYED, "destroyer"),
    ((RECORDED, STORED, ABSENT, SHREDDED), Event.DESTROYED_SINCE, DESTROYED, "restore"),
    ((),                           Event.UNKNOWN_SINCE, DESTROYED, "restore"),
)
# fmt: on

# Audio that has a tombstone is not inserted again when its call is drained again.
ADD = """
INSERT INTO audio (audio_id, kind, call_id, owner, node, state, began, ended, how, destroy_after, reason)
SELECT audio_id, kind, call_id, owner, node, $2, began, ended, how, destroy_after, reason
FROM json_populate_recordset(NULL::audio, $1) AS drained
WHERE NOT EXISTS (SELECT FROM tombstone WHERE tombstone.audio_id = drained.audio_id)
ON CONFLICT (audio_id) DO NOTHING
RETURNING audio_id
"""

ADD_ORPHAN = """
INSERT INTO audio (audio_id, kind, call_id, owner, node, state, why, began, destroy_after, reason)
VALUES ($1, $2, $3, '', $4, $5, 'orphan', $6, now(), 'orphan')
ON CONFLICT (audio_id) DO NOTHING
"""

STORE = """
UPDATE audio SET state = $2, seconds = $4, bytes = $5, sha256 = $6, cipher_sha256 = $7,
    lease_until = NULL, attempts = 0, next_at = now()
WHERE audio_id = $1 AND state = ANY($3)
"""

DECLARE_ABSENT = """
UPDATE audio SET state = $2, why = $4, seconds = $5, destroy_after = now(), reason = 'absent',
    lease_until = NULL, attempts = 0, next_at = now()
WHERE audio_id = $1 AND state = ANY($3)
"""

# An operator may have put it under a legal hold since it was claimed.
SHRED = """
UPDATE audio SET state = $2
WHERE audio_id = $1 AND state = ANY($3) AND hold IS NULL AND destroy_after <= now()
"""

DESTROY = """
UPDATE audio SET state = $2, lease_until = NULL
WHERE audio_id = $1 AND state = ANY($3) RETURNING now() AS at, *
"""

# A restored tombstone: its audio may be in the backup, in any state, or may have come later.
RESTORE_DESTROYED = """
UPDATE audio SET state = $2, hold = NULL, reason = tombstone.reason, lease_until = NULL
FROM tombstone
WHERE tombstone.audio_id = audio.audio_id AND audio.audio_id = ANY($1) AND state = ANY($3)
"""
ADD_DESTROYED = """
INSERT INTO audio (audio_id, kind, call_id, owner, node, state, began, cipher_sha256, destroy_after, reason)
SELECT audio_id, kind, substring(audio_id FOR 36)::uuid, owner, '', $2, began, cipher_sha256,
    destroy_after, reason
FROM tombstone WHERE audio_id = ANY($1)
ON CONFLICT (audio_id) DO NOTHING
"""

COUNT = "SELECT state, count(*) FROM audio WHERE state <> 'destroyed' GROUP BY state"
STATES = "SELECT audio_id, state FROM audio WHERE audio_id = ANY($1)"


@dataclass(frozen=True, slots=True)
class Stored:
    """What is known of stored audio. `size`, `sha256`: of the plain bytes; `cipher_sha256`: of the object."""

    seconds: float
    size: int
    sha256: str
    cipher_sha256: str


async def add(con: asyncpg.Connection, rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Insert this audio, unless it is known or destroyed; return the ids of what was inserted."""
    drained = list(rows)
    if not drained:
        return []
    inserted = await con.fetch(ADD, json.dumps(drained), TRANSITIONS.target(Event.DRAINED))
    return [row["audio_id"] for row in inserted]


async def add_orphan(
    con: asyncpg.Connection, audio_id: str, *, kind: str, call_id: str, node: str, written: datetime
) -> None:
    """Insert a file of the spool that belongs to no call: it is due to be destroyed now."""
    target = TRANSITIONS.target(Event.ORPHANED)
    await con.execute(ADD_ORPHAN, audio_id, kind, call_id, node, target, written)


async def store(con: asyncpg.Connection, audio_id: str, stored: Stored) -> bool:
    """Its object is in the store, and was read back."""
    measured = (stored.seconds, stored.size, stored.sha256, stored.cipher_sha256)
    return await con.execute(STORE, *_move(audio_id, Event.STORED), *measured) == "UPDATE 1"


async def declare_absent(con: asyncpg.Connection, audio_id: str, why: str, seconds: float) -> bool:
    """There is nothing to store; what there is of it is due to be destroyed now."""
    return await con.execute(DECLARE_ABSENT, *_move(audio_id, Event.ABSENT), why, seconds) == "UPDATE 1"


async def shred(con: asyncpg.Connection, audio_id: str) -> bool:
    """Its key is deleted in this transaction; False where it is not due, or under a legal hold.

    The row stays locked until the transaction ends, so that no hold can be put on it meanwhile.
    """
    return await con.execute(SHRED, *_move(audio_id, Event.SHREDDED)) == "UPDATE 1"


async def destroy(con: asyncpg.Connection, audio_id: str) -> asyncpg.Record | None:
    """Every copy is deleted; the row as it is now, with PostgreSQL's time as `at`."""
    return await con.fetchrow(DESTROY, *_move(audio_id, Event.DESTROYED))


async def restore_destroyed(con: asyncpg.Connection, audio_ids: list[str]) -> None:
    """These have a tombstone that is newer than the backup which is restored: they are destroyed."""
    event = Event.DESTROYED_SINCE
    await con.execute(RESTORE_DESTROYED, audio_ids, TRANSITIONS.target(event), TRANSITIONS.sources(event))
    await con.execute(ADD_DESTROYED, audio_ids, TRANSITIONS.target(Event.UNKNOWN_SINCE))


async def states_of(con: asyncpg.Connection, audio_ids: Iterable[str]) -> dict[str, AudioState]:
    """The state of each of them that has a row."""
    rows = await con.fetch(STATES, list(audio_ids))
    return {row["audio_id"]: AudioState(row["state"]) for row in rows}


async def counts(con: asyncpg.Connection) -> dict[AudioState, int]:
    """How much audio of all nodes is in each state, without what is destroyed."""
    by_state = {row["state"]: row["count"] for row in await con.fetch(COUNT)}
    return {state: by_state.get(state, 0) for state in AudioState if state is not DESTROYED}


def _move(audio_id: str, event: Event) -> tuple[str, AudioState, list[AudioState]]:
    """The first three parameters of every statement that changes a state."""
    return audio_id, TRANSITIONS.target(event), TRANSITIONS.sources(event)
