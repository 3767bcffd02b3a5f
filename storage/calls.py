"""Call records in PostgreSQL: stored by the drainer, any number of times; read by `callengine calls`."""

import json
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterable
from dataclasses import astuple, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from storage.away import DATABASE_ERRORS
from storage.records import CallRecord, LegRecord, MessageRecord, RecordingRecord
from storage.rows import FETCHED

# The errors that say that a row is wrong, not that the database is away.
REFUSED = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, asyncpg.CardinalityViolationError)

KEEP_CALLS = """
INSERT INTO call (
    call_id, number, owner, caller, withheld, began, answered, connected, ended, ring_seconds, talk_seconds,
    delivered_to, outcome, ended_by, cause, recording_id, message_id, notice, node, rev, routing, clock,
    choices, switches, unreachable, trunk
)
SELECT
    call_id, number, owner, caller, withheld, began, answered, connected, ended, ring_seconds, talk_seconds,
    delivered_to, outcome, ended_by, cause, recording_id, message_id, notice, node, rev, routing, clock,
    choices, switches, unreachable, trunk
FROM json_populate_recordset(NULL::call, $1)
ON CONFLICT (call_id) DO UPDATE SET
    number = EXCLUDED.number, owner = EXCLUDED.owner, caller = EXCLUDED.caller, withheld = EXCLUDED.withheld,
    began = EXCLUDED.began, answered = EXCLUDED.answered, connected = EXCLUDED.connected,
    ended = EXCLUDED.ended,
    ring_seconds = EXCLUDED.ring_seconds, talk_seconds = EXCLUDED.talk_seconds,
    delivered_to = EXCLUDED.delivered_to, outcome = EXCLUDED.outcome, ended_by = EXCLUDED.ended_by,
    cause = EXCLUDED.cause, recording_id = EXCLUDED.recording_id, message_id = EXCLUDED.message_id,
    notice = EXCLUDED.notice, node = EXCLUDED.node, rev = EXCLUDED.rev, routing = EXCLUDED.routing,
    clock = EXCLUDED.clock, choices = EXCLUDED.choices, switches = EXCLUDED.switches,
    unreachable = EXCLUDED.unreachable, trunk = EXCLUDED.trunk, stored_in = pg_current_xact_id()
WHERE call.rev < EXCLUDED.rev AND call.began = EXCLUDED.began
RETURNING call_id
"""

# When a call began never changes. Its id is derived from Asterisk's channel id, which may be used again.
OTHERS = """
SELECT call_id FROM call JOIN json_populate_recordset(NULL::call, $1) AS later USING (call_id)
WHERE call.rev < later.rev AND call.began <> later.began
"""

KEEP_LEGS = """
INSERT INTO leg
    (call_id, place, leg_id, destination, began, ringing, answered, connected, ended, outcome, cause, sip,
    confirmation, trunk)
SELECT
    call_id, place, leg_id, destination, began, ringing, answered, connected, ended, outcome, cause, sip,
    confirmation, trunk
FROM json_populate_recordset(NULL::leg, $1)
WHERE call_id = ANY($2)
"""

FIND = """
SELECT * FROM call
WHERE ($1::text IS NULL OR number = $1)
  AND ($2::timestamptz IS NULL OR began >= $2)
  AND ($3::timestamptz IS NULL OR began < $3)
  AND ($4::timestamptz IS NULL OR ended >= $4)
  AND ($5::timestamptz IS NULL OR ended < $5)
  AND ($6::text IS NULL OR owner = $6)
  AND ($7::text IS NULL OR caller = $7)
  AND ($8::text IS NULL OR outcome = $8)
  AND ($9::text IS NULL OR stored_in >= $9::text::xid8)
  AND ($10::text IS NULL OR stored_in < $10::text::xid8)
ORDER BY began, call_id
"""

GET = "SELECT * FROM call WHERE call_id = $1"

LEGS_OF = "SELECT * FROM leg WHERE call_id = ANY($1) ORDER BY call_id, place"


@dataclass(frozen=True, slots=True)
class Revised:
    """The record of an ended call. Of two records of a call, the one with the greater `rev` is right."""

    record: CallRecord
    rev: int
    messages: tuple[MessageRecord, ...] = ()
    recordings: tuple[RecordingRecord, ...] = ()


class AnotherCall(ValueError):
    """There is a record of another call with this id."""


def is_of_a_call(error: Exception) -> bool:
    """Whether a call caused this error, by entries that cannot be a record: another call can be stored."""
    return isinstance(error, REFUSED) or not isinstance(error, DATABASE_ERRORS)


async def store(con: asyncpg.Connection, calls: Iterable[Revised]) -> None:
    """Store these records, unless the database has them, or later ones; in the caller's transaction.

    Raises one of REFUSED when a record cannot be a row, and AnotherCall.
    """
    # Each call once, or PostgreSQL refuses to update a row twice; sorted, or two drainers could deadlock.
    latest = {call.record.call_id: call for call in sorted(calls, key=lambda call: call.rev)}
    rows = [as_row(latest[call_id]) for call_id in sorted(latest)]
    legs = [leg for call in latest.values() for leg in leg_rows(call.record)]
    records = json.dumps(rows)
    changed = [row["call_id"] for row in await con.fetch(KEEP_CALLS, records)]
    if len(changed) < len(rows) and (other := await con.fetchval(OTHERS, records)):
        raise AnotherCall(f"another call has the id {other}")
    await con.execute("DELETE FROM leg WHERE call_id = ANY($1)", changed)
    await con.execute(KEEP_LEGS, json.dumps(legs), changed)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which records: None does not restrict. `since` and the like are inclusive, `until` exclusive.

    `stored_from`, `stored_before`: transactions (storage/export_cursor.py).
    """

    number: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    ended_since: datetime | None = None
    ended_until: datetime | None = None
    owner: str | None = None
    caller: str | None = None
    outcome: str | None = None
    stored_from: str | None = None
    stored_before: str | None = None


def find(
    con: asyncpg.Connection,
    number: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> AsyncGenerator[CallRecord]:
    """The records with `since <= began < until`, oldest first, as of one moment."""
    return select(con, Selection(number, since, until))


async def select(con: asyncpg.Connection, selection: Selection) -> AsyncGenerator[CallRecord]:
    """The selected records, oldest first, as of one moment."""
    async with con.transaction(isolation="repeatable_read", readonly=True):
        cursor = await con.cursor(FIND, *astuple(selection))
        while rows := await cursor.fetch(FETCHED):
            legs = defaultdict(list)
            for leg in await con.fetch(LEGS_OF, [row["call_id"] for row in rows]):
                legs[leg["call_id"]].append(as_leg(leg))
            for row in rows:
                yield as_record(row, tuple(legs[row["call_id"]]))


async def get(con: asyncpg.Connection, call_id: UUID) -> CallRecord | None:
    """The record of one call; None when it has none, or none yet."""
    async with con.transaction(isolation="repeatable_read", readonly=True):
        row = await con.fetchrow(GET, call_id)
        legs = await con.fetch(LEGS_OF, [call_id]) if row else []
    return as_record(row, tuple(map(as_leg, legs))) if row else None


def as_row(call: Revised) -> dict[str, Any]:
    """The columns of `call`."""
    record = call.record
    return {
        "call_id": record.call_id,
        "number": record.number,
        "owner": record.owner,
        "caller": record.caller or None,
        "withheld": record.withheld,
        "began": as_text(record.began),
        "answered": as_text(record.answered),
        "connected": as_text(record.connected),
        "ended": as_text(record.ended),
        "ring_seconds": record.ring.total_seconds(),
        "talk_seconds": record.talk.total_seconds(),
        "delivered_to": record.delivered_to or None,
        "outcome": record.outcome,
        "ended_by": record.ended_by,
        "cause": record.cause,
        "recording_id": record.recording_id or None,
        "message_id": record.message_id or None,
        "notice": record.notice or None,
        "node": record.node,
        "rev": call.rev,
        "routing": record.routing or None,
        "clock": record.clock or None,
        "choices": record.choices or None,
        "switches": record.switches or None,
        "unreachable": record.unreachable or None,
        "trunk": record.trunk or None,
    }


def leg_rows(record: CallRecord) -> list[dict[str, Any]]:
    """The columns of `leg`, a row for each attempt."""
    return [
        {
            "call_id": record.call_id,
            "place": place,
            "leg_id": leg.leg_id,
            "destination": leg.to,
            "began": as_text(leg.began),
            "ringing": as_text(leg.ringing),
            "answered": as_text(leg.answered),
            "connected": as_text(leg.connected),
            "ended": as_text(leg.ended),
            "outcome": leg.outcome,
            "cause": leg.cause,
            "sip": leg.sip or None,
            "trunk": leg.trunk or None,
            "confirmation": leg.confirmation or None,
        }
        for place, leg in enumerate(record.legs, start=1)
    ]


def as_record(row: asyncpg.Record, legs: tuple[LegRecord, ...]) -> CallRecord:
    return CallRecord(
        call_id=str(row["call_id"]),
        number=row["number"],
        owner=row["owner"],
        caller="" if row["withheld"] else row["caller"] or "",
        withheld=row["withheld"],
        began=row["began"],
        node=row["node"],
        answered=row["answered"],
        connected=row["connected"],
        ended=row["ended"],
        delivered_to=row["delivered_to"] or "",
        outcome=row["outcome"],
        ended_by=row["ended_by"],
        cause=row["cause"],
        recording_id=row["recording_id"] or "",
        message_id=row["message_id"] or "",
        notice=json.loads(row["notice"] or "{}"),
        legs=legs,
        routing=row["routing"] or "",
        clock=json.loads(row["clock"] or "{}"),
        choices=tuple(row["choices"] or ()),
        switches=tuple(row["switches"] or ()),
        unreachable=tuple(row["unreachable"] or ()),
        trunk=row["trunk"] or "",
    )


def as_leg(row: asyncpg.Record) -> LegRecord:
    return LegRecord(
        leg_id=row["leg_id"],
        to=row["destination"],
        began=row["began"],
        ringing=row["ringing"],
        answered=row["answered"],
        connected=row["connected"],
        ended=row["ended"],
        outcome=row["outcome"],
        cause=row["cause"],
        sip=row["sip"] or 0,
        trunk=row["trunk"] or "",
        confirmation=row["confirmation"] or "",
    )


def as_text(instant: datetime | None) -> str | None:
    return instant.isoformat() if instant else None
