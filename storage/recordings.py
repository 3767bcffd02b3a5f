"""Recordings and their retention: as long as their owner chose, longer only under a legal hold."""

import json
from collections.abc import AsyncGenerator, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import asyncpg

from storage import audio_states
from storage.access import Actor, this_process
from storage.calls import Revised, as_text
from storage.conversation import Conversation
from storage.records import RecordingRecord
from storage.rows import rows_of

KEEP_RECORDINGS = """
INSERT INTO recording (audio_id, format, ended, keep_seconds, evidence)
SELECT audio_id, format, ended, keep_seconds, evidence
FROM json_populate_recordset(NULL::recording, $1) AS drained
WHERE EXISTS (SELECT FROM audio WHERE audio.audio_id = drained.audio_id)
ON CONFLICT (audio_id) DO NOTHING
"""

# A later record of a call may correct when the call ended. The deadline is corrected with it; if it has been
# shortened since, it is only brought forward. What is destroyed stays destroyed.
CORRECT = """
WITH latest AS (
    SELECT drained.* FROM json_to_recordset($1) AS drained (audio_id text, call_id uuid, rev bigint,
        ended timestamptz, how text, call_ended timestamptz, evidence jsonb)
    JOIN call ON call.call_id = drained.call_id AND call.rev = drained.rev
), wrong AS (
    SELECT latest.*, latest.call_ended + interval '1 second' * keep_seconds AS until,
        destroy_after < recording.ended + interval '1 second' * keep_seconds AS shortened
    FROM latest JOIN audio USING (audio_id) JOIN recording USING (audio_id)
    WHERE state IN ('recorded', 'stored') AND (recording.ended, recording.evidence, audio.ended, audio.how)
        IS DISTINCT FROM (latest.call_ended, latest.evidence, latest.ended, latest.how)
    FOR UPDATE OF audio
), corrected AS (
    UPDATE audio SET
        ended = wrong.ended, how = wrong.how, next_at = least(next_at, now()),
        destroy_after = CASE WHEN shortened THEN least(destroy_after, until) ELSE until END
    FROM wrong WHERE audio.audio_id = wrong.audio_id
)
UPDATE recording SET ended = wrong.call_ended, evidence = wrong.evidence
FROM wrong WHERE recording.audio_id = wrong.audio_id
"""

# A killed Asterisk ends both the call and its recording; the recording's end is then noticed later.
FORMAT_AND_SECONDS = """
SELECT format, extract(epoch FROM least(audio.ended, recording.ended) - began)::float8 AS lasted
FROM recording JOIN audio USING (audio_id) WHERE audio_id = $1
"""
MEASURED = "UPDATE recording SET short_by = $2, one_way = $3, silent = $4, clipping = $5 WHERE audio_id = $1"

# Each decision and its line in the access log are one statement: neither is ever without the other.
HOLD = """
WITH held AS (
    UPDATE audio SET hold = $3
    WHERE audio_id = $1 AND kind = 'recording' AND hold IS NULL AND state IN ('recorded', 'stored')
    RETURNING audio_id
), logged AS (
    INSERT INTO access (audio_id, what, operator, host, actor) SELECT audio_id, 'hold', $7, $8, $9 FROM held
)
INSERT INTO legal_hold (audio_id, reason, reference, by_one, by_other, review_on)
SELECT audio_id, $2, $3, $4, $5, $6 FROM held RETURNING audio_id
"""

RELEASE = """
WITH released AS (
    UPDATE legal_hold SET released_at = now(), released_by = $2
    WHERE audio_id = $1 AND released_at IS NULL RETURNING audio_id
), logged AS (
    INSERT INTO access (audio_id, what, operator, host, actor)
    SELECT audio_id, 'release', $3, $4, $5 FROM released
)
UPDATE audio SET hold = NULL, next_at = least(next_at, now()) FROM released
WHERE audio.audio_id = released.audio_id RETURNING audio.audio_id
"""

DESTROY = """
WITH due AS (
    UPDATE audio SET destroy_after = now(), reason = $2, next_at = least(next_at, now())
    WHERE audio_id = $1 AND kind = 'recording' AND hold IS NULL AND state IN ('recorded', 'stored')
    RETURNING audio_id
)
INSERT INTO access (audio_id, what, operator, host, actor)
SELECT audio_id, 'destroy', $3, $4, $5 FROM due RETURNING audio_id
"""

STANDING = "SELECT state, hold FROM audio WHERE audio_id = $1 AND kind = 'recording'"

FIND = """
SELECT
    audio.audio_id AS recording_id, audio.call_id, call.number, audio.owner, audio.began, seconds, state, why,
    format, destroy_after, hold, review_on, short_by, one_way, silent, clipping, evidence
FROM audio
LEFT JOIN recording ON recording.audio_id = audio.audio_id
LEFT JOIN call ON call.call_id = audio.call_id
LEFT JOIN legal_hold ON legal_hold.audio_id = audio.audio_id AND released_at IS NULL
WHERE kind = 'recording'
  AND ($1::text IS NULL OR audio.owner = $1)
  AND ($2::text IS NULL OR call.number = $2)
  AND ($3::timestamptz IS NULL OR audio.began >= $3)
  AND ($4::timestamptz IS NULL OR audio.began < $4)
  AND ($5 OR state NOT IN ('destroyed', 'absent'))
ORDER BY audio.began, audio.audio_id
"""


class Refused(Exception):
    """This cannot be done with the recording in its present state; the message says why."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Why a recording is kept beyond its deadline, who decided it (two persons), and when it is reviewed."""

    reason: str
    reference: str
    by_one: str
    by_other: str
    review_on: date


@dataclass(frozen=True, slots=True)
class Asked:
    """Which recordings: None does not restrict; `gone`: destroyed ones too."""

    owner: str | None = None
    number: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    gone: bool = False


async def store(con: asyncpg.Connection, calls: Iterable[Revised]) -> None:
    """Store the recordings of these ended calls, in the caller's transaction that has stored the calls.

    Of recordings that are known, only what a later record corrects is stored. A destroyed one stays so.
    """
    drained = [(call, recording) for call in calls for recording in call.recordings]
    if not drained:
        return
    drained.sort(key=lambda pair: pair[1].recording_id)
    added = await audio_states.add(con, [audio_row(call, recording) for call, recording in drained])
    rows = [recording_row(call, recording) for call, recording in drained]
    await con.execute(KEEP_RECORDINGS, json.dumps(rows))
    if len(added) < len(drained):
        rows = [corrected_row(call, recording) for call, recording in drained]
        await con.execute(CORRECT, json.dumps(rows))


async def format_and_seconds(con: asyncpg.Connection, audio_id: str) -> tuple[str, float]:
    """The format that its owner wants, and how many seconds it lasted."""
    row = await con.fetchrow(FORMAT_AND_SECONDS, audio_id)
    if row is None:  # an orphan of the spool: it has no owner
        return "wav", 0
    return row["format"], row["lasted"]


async def store_measurements(
    con: asyncpg.Connection, audio_id: str, conversation: Conversation, lasted: float
) -> None:
    """Store what is wrong with it, if anything is: seconds missing, silence, one audible side, clipping."""
    short_by = round(max(lasted - conversation.seconds, 0) + conversation.missing, 3)
    await con.execute(
        MEASURED, audio_id, short_by, conversation.one_way, conversation.silent, conversation.clipping
    )


async def hold(con: asyncpg.Connection, audio_id: str, why: Hold, actor: Actor | None = None) -> None:
    """Keep it whatever its deadline, until it is released; log who did so. Raises Refused."""
    reason = (why.reason, why.reference, why.by_one, why.by_other, why.review_on)
    if await con.fetchval(HOLD, audio_id, *reason, *columns_of(actor)) is None:
        raise Refused(await standing(con, audio_id))


async def release(con: asyncpg.Connection, audio_id: str, by: str, actor: Actor | None = None) -> None:
    """End its hold: it is destroyed at once if its deadline is over. Log who did so. Raises Refused."""
    if await con.fetchval(RELEASE, audio_id, by, *columns_of(actor)) is None:
        raise Refused(await standing(con, audio_id))


async def destroy(
    con: asyncpg.Connection, audio_id: str, reason: str = "operator", actor: Actor | None = None
) -> None:
    """Set its deadline to now; log who did so. Raises Refused."""
    if await con.fetchval(DESTROY, audio_id, reason, *columns_of(actor)) is None:
        raise Refused(await standing(con, audio_id))


def columns_of(actor: Actor | None) -> tuple[str, str, str]:
    """Operator, host and kind, for a line in the access log."""
    actor = actor or this_process()
    return actor.operator, actor.host, actor.kind


def find(con: asyncpg.Connection, asked: Asked) -> AsyncGenerator[asyncpg.Record]:
    """The rows of FIND, oldest first, as of one moment."""
    return rows_of(con, FIND, asked.owner, asked.number, asked.since, asked.until, asked.gone)


async def standing(con: asyncpg.Connection, audio_id: str) -> str:
    """The present state of this recording, in a sentence."""
    row = await con.fetchrow(STANDING, audio_id)
    if row is None:
        return f"there is no recording {audio_id}"
    if row["hold"]:
        return f"{audio_id} is under a legal hold, {row['hold']}"
    if row["state"] in ("recorded", "stored"):
        return f"{audio_id} is under no legal hold"
    return f"{audio_id} is {row['state']}: nobody can hear it any more"


def audio_row(call: Revised, recording: RecordingRecord) -> Mapping[str, Any]:
    """The columns of `audio`."""
    return {
        "audio_id": recording.recording_id,
        "kind": "recording",
        "call_id": call.record.call_id,
        "owner": call.record.owner,
        "node": call.record.node,
        "began": as_text(recording.began),
        "ended": as_text(recording.ended),
        "how": recording.how,
        "destroy_after": as_text(over(call) + recording.keep),
        "reason": "deadline",
    }


def recording_row(call: Revised, recording: RecordingRecord) -> Mapping[str, Any]:
    """The columns of `recording` that are known when the call has ended."""
    return {
        "audio_id": recording.recording_id,
        "format": recording.format,
        "ended": as_text(over(call)),
        "keep_seconds": int(recording.keep.total_seconds()),
        "evidence": recording.evidence,
    }


def corrected_row(call: Revised, recording: RecordingRecord) -> Mapping[str, Any]:
    """The facts that a later record of the same call may correct."""
    return {
        "audio_id": recording.recording_id,
        "call_id": call.record.call_id,
        "rev": call.rev,
        "ended": as_text(recording.ended),
        "how": recording.how,
        "call_ended": as_text(over(call)),
        "evidence": recording.evidence,
    }


def over(call: Revised) -> datetime:
    """When the call ended. Raises ValueError when it has not."""
    if call.record.ended is None:
        raise ValueError(f"{call.record.call_id} has not ended")
    return call.record.ended
