"""The states of a message (table `message`): every transition, and the SQL that makes it.

    recorded       left by a caller, its audio is not stored yet
    waiting        in the outbox: not every recipient's server has accepted it
    accepted       every recipient's server that did not refuse it has accepted it
    bounced        a failure report came after acceptance; in the outbox for the second address
    undeliverable  nobody accepts it: its audio is kept until a deadline, or until an operator gives it up
    destroyed      its audio is destroyed, with a tombstone
    absent         its recording holds no speech

No other module writes these states (tests/unit/test_states.py). Every function runs in the caller's
transaction. A transition that the table does not allow changes nothing, and the function returns False.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

import asyncpg

from storage.transitions import Transitions


class MessageState(StrEnum):
    RECORDED = "recorded"
    WAITING = "waiting"
    ACCEPTED = "accepted"
    BOUNCED = "bounced"
    UNDELIVERABLE = "undeliverable"
    DESTROYED = "destroyed"
    ABSENT = "absent"


class Event(StrEnum):
    DRAINED = "voicemail drained from the journal"
    MISSED = "missed call to be mailed"
    STORED = "audio stored"
    SILENT = "no speech in the recording"
    NO_ADDRESS = "no address to mail it to"
    ACCEPTED = "accepted by every recipient's server that did not refuse it"
    REFUSED = "refused by all, second address left"
    BOUNCED = "bounced, second address left"
    FAILED = "refused or bounced by all, no address left"
    RETRIED = "undeliverable message sent again"
    GIVEN_UP = "undeliverable voicemail given up"
    MISSED_GIVEN_UP = "undeliverable missed call given up"
    DESTROYED = "audio destroyed"


RECORDED, WAITING, ACCEPTED, BOUNCED, UNDELIVERABLE, DESTROYED, ABSENT = MessageState

IN_OUTBOX = (WAITING, ACCEPTED, BOUNCED, UNDELIVERABLE)

# From UNDELIVERABLE to ACCEPTED: an acceptance that is stored after its claim has run out still counts.
# To the same state: the next recipient's answer, or the same answer after a commit whose reply was lost.
# fmt: off
TRANSITIONS = Transitions(
    # from                    event                  to             who
    ((),                      Event.DRAINED,         RECORDED,      "drainer"),
    ((),                      Event.MISSED,          WAITING,       "drainer, sealer"),
    ((RECORDED,),             Event.STORED,          WAITING,       "sealer"),
    ((RECORDED,),             Event.SILENT,          ABSENT,        "sealer"),
    ((WAITING,),              Event.NO_ADDRESS,      UNDELIVERABLE, "drainer, sealer"),
    (IN_OUTBOX,               Event.ACCEPTED,        ACCEPTED,      "outbox worker, listener"),
    ((WAITING,),              Event.REFUSED,         WAITING,       "outbox worker"),
    ((WAITING, ACCEPTED),     Event.BOUNCED,         BOUNCED,       "outbox worker, listener"),
    (IN_OUTBOX,               Event.FAILED,          UNDELIVERABLE, "outbox worker, listener"),
    ((UNDELIVERABLE,),        Event.RETRIED,         WAITING,       "operator"),
    ((UNDELIVERABLE,),        Event.GIVEN_UP,        UNDELIVERABLE, "operator"),
    ((UNDELIVERABLE,),        Event.MISSED_GIVEN_UP, DESTROYED,     "operator"),
    ((RECORDED, *IN_OUTBOX),  Event.DESTROYED,       DESTROYED,     "destroyer"),
)
# fmt: on

INITIAL = {"voicemail": TRANSITIONS.target(Event.DRAINED), "missed": TRANSITIONS.target(Event.MISSED)}
INITIAL["left_out"] = INITIAL["missed"]

ADD = """
INSERT INTO message
    (message_id, kind, call_id, owner, number, caller, withheld, began, outcome, deliver, state, or_missed)
SELECT message_id, kind, call_id, owner, number, caller, withheld, began, outcome, deliver, state, or_missed
FROM json_populate_recordset(NULL::message, $1)
ON CONFLICT (message_id) DO NOTHING
RETURNING message_id, state
"""

# The owner hears of the call if they want to, unless the call has (or may still have) another message.
ADD_MISSED = """
INSERT INTO message
    (message_id, kind, call_id, owner, number, caller, withheld, began, outcome, deliver, state)
SELECT $2, 'missed', call_id, owner, number, caller, withheld, began, outcome, deliver, $3
FROM message AS silent
WHERE message_id = $1 AND or_missed AND NOT EXISTS (
    SELECT FROM message AS other
    WHERE other.call_id = silent.call_id AND other.kind = 'voicemail' AND other.state <> 'absent')
ON CONFLICT (message_id) DO NOTHING
RETURNING message_id
"""

MOVE = "UPDATE message SET state = $2, why = $4 WHERE message_id = $1 AND state = ANY($3)"
# An operator wants to see why a destroyed message was not delivered.
MOVE_KEEPING_WHY = "UPDATE message SET state = $2 WHERE message_id = $1 AND state = ANY($3)"
MOVE_WITHOUT_ADDRESS = """
UPDATE message SET state = $2, why = 'no_address'
WHERE message_id = ANY($1) AND state = ANY($3)
    AND NOT EXISTS (SELECT FROM outbox WHERE outbox.message_id = message.message_id)
RETURNING message_id
"""


COUNT = "SELECT state, count(*) FROM message WHERE state <> 'destroyed' GROUP BY state"


class Added(NamedTuple):
    """A message that was not in the table before."""

    message_id: str
    state: MessageState


async def add(con: asyncpg.Connection, rows: Iterable[Mapping[str, Any]]) -> list[Added]:
    """Insert these messages, each in the initial state of its kind; return those that were not there."""
    initial = [{**row, "state": INITIAL[row["kind"]]} for row in rows]
    new = await con.fetch(ADD, json.dumps(initial))
    return [Added(row["message_id"], MessageState(row["state"])) for row in new]


async def add_missed(con: asyncpg.Connection, silent_id: str, missed_id: str) -> list[str]:
    """Insert a missed call in place of a silent message, if the owner wants it; return its id then."""
    rows = await con.fetch(ADD_MISSED, silent_id, missed_id, TRANSITIONS.target(Event.MISSED))
    return [row["message_id"] for row in rows]


async def stored(con: asyncpg.Connection, message_id: str) -> bool:
    """Its audio is stored: it waits to be mailed."""
    return await _move(con, message_id, Event.STORED)


async def silent(con: asyncpg.Connection, message_id: str, why: str) -> bool:
    """Its recording holds no speech; `why` as in the table `audio`."""
    return await _move(con, message_id, Event.SILENT, why)


async def without_address(con: asyncpg.Connection, message_ids: Sequence[str]) -> list[str]:
    """Those of them that are in the outbox for no address are undeliverable; return these."""
    event = Event.NO_ADDRESS
    rows = await con.fetch(
        MOVE_WITHOUT_ADDRESS, message_ids, TRANSITIONS.target(event), TRANSITIONS.sources(event)
    )
    return [row["message_id"] for row in rows]


async def accepted(con: asyncpg.Connection, message_id: str) -> bool:
    """Every recipient's server that did not refuse it has accepted it."""
    return await _move(con, message_id, Event.ACCEPTED)


async def to_second_address(con: asyncpg.Connection, message_id: str, *, bounced: bool) -> bool:
    """Nobody of the first addresses has it: it goes to the second one."""
    return await _move(con, message_id, Event.BOUNCED if bounced else Event.REFUSED)


async def undeliverable(con: asyncpg.Connection, message_id: str, *, bounced: bool) -> bool:
    """Nobody has it, and there is no address left."""
    return await _move(con, message_id, Event.FAILED, "bounced" if bounced else "refused")


async def retried(con: asyncpg.Connection, message_id: str) -> bool:
    """An operator has an undeliverable message sent again."""
    return await _move(con, message_id, Event.RETRIED)


async def given_up(con: asyncpg.Connection, message_id: str, kind: str) -> bool:
    """An operator gives up an undeliverable message. The others have no audio whose destruction ends them."""
    event = Event.GIVEN_UP if kind == "voicemail" else Event.MISSED_GIVEN_UP
    return await _move(con, message_id, event, "given up")


async def destroyed(con: asyncpg.Connection, message_id: str) -> bool:
    """Its audio is destroyed."""
    event = Event.DESTROYED
    done = await con.execute(
        MOVE_KEEPING_WHY, message_id, TRANSITIONS.target(event), TRANSITIONS.sources(event)
    )
    return done == "UPDATE 1"


async def counts(con: asyncpg.Connection) -> dict[MessageState, int]:
    """How many messages of all nodes are in each state, without destroyed ones."""
    by_state = {row["state"]: row["count"] for row in await con.fetch(COUNT)}
    return {state: by_state.get(state, 0) for state in MessageState if state is not DESTROYED}


async def _move(con: asyncpg.Connection, message_id: str, event: Event, why: str | None = None) -> bool:
    done = await con.execute(MOVE, message_id, TRANSITIONS.target(event), TRANSITIONS.sources(event), why)
    return done == "UPDATE 1"
