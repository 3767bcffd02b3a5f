"""Messages on their way: written with their call's record, posted when there is something to be mailed."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import asyncpg

from storage.calls import Revised, as_text
from storage.records import MessageRecord

KEEP_AUDIO = """
INSERT INTO audio (audio_id, kind, call_id, owner, node, began, ended, how)
SELECT audio_id, kind, call_id, owner, node, began, ended, how
FROM json_populate_recordset(NULL::audio, $1) AS told
WHERE NOT EXISTS (SELECT FROM tombstone WHERE tombstone.audio_id = told.audio_id)
ON CONFLICT (audio_id) DO NOTHING
"""

KEEP_MESSAGES = """
INSERT INTO message
    (message_id, kind, call_id, owner, number, caller, withheld, began, outcome, deliver, state, or_missed)
SELECT message_id, kind, call_id, owner, number, caller, withheld, began, outcome, deliver, state, or_missed
FROM json_populate_recordset(NULL::message, $1)
ON CONFLICT (message_id) DO NOTHING
RETURNING message_id, state
"""

# All addresses of the first turn, one row each; `dated` is stored so that a repeated mail is the same mail.
POST = """
INSERT INTO outbox (message_id, recipient, domain, dated)
SELECT message_id, recipient, lower(split_part(recipient, '@', 2)), now()
FROM message CROSS JOIN jsonb_array_elements_text(deliver -> 'to') AS recipient
WHERE message_id = ANY($1)
ON CONFLICT (message_id, recipient) DO NOTHING
"""

NOBODY_TO_TELL = """
UPDATE message SET state = 'undeliverable', why = 'no_address'
WHERE message_id = ANY($1) AND NOT EXISTS (SELECT FROM outbox WHERE outbox.message_id = message.message_id)
RETURNING message_id
"""

# The sound a call left has turned out to be none: the owner hears of the call if he wants to, unless the
# caller left (or may have left) another.
MISSED = """
INSERT INTO message
    (message_id, kind, call_id, owner, number, caller, withheld, began, outcome, deliver, state)
SELECT
    call_id || '-missed', 'missed', call_id, owner, number, caller, withheld, began, outcome, deliver,
    'waiting'
FROM message AS silent
WHERE message_id = $1 AND or_missed AND NOT EXISTS (
    SELECT FROM message AS other
    WHERE other.call_id = silent.call_id AND other.kind = 'voicemail' AND other.state <> 'absent')
ON CONFLICT (message_id) DO NOTHING
RETURNING message_id
"""

# For a person to see to it.
KEEP_UNDELIVERABLE = """
UPDATE audio SET destroy_after = now() + $2, reason = 'deadline', next_at = now()
WHERE audio_id = ANY($1) AND destroy_after IS NULL
"""


async def keep(con: asyncpg.Connection, calls: Iterable[Revised]) -> None:
    """Write the messages of these calls, unless they are known, in the caller's transaction.

    What has been sealed, mailed or destroyed since stays so, however often it is told again.
    """
    found = sorted(
        ((call, message) for call in calls for message in call.messages), key=lambda it: it[1].message_id
    )
    if not found:
        return
    sounds = [audio_row(*it) for it in found if it[1].kind == "voicemail"]
    await con.execute(KEEP_AUDIO, json.dumps(sounds))
    new = await con.fetch(KEEP_MESSAGES, json.dumps([message_row(*it) for it in found]))
    await post(con, [row["message_id"] for row in new if row["state"] == "waiting"])


async def post(con: asyncpg.Connection, message_ids: Sequence[str]) -> list[str]:
    """Put these messages into the outbox, in the caller's transaction; return those that have no address."""
    if not message_ids:
        return []
    await con.execute(POST, message_ids)
    return [row["message_id"] for row in await con.fetch(NOBODY_TO_TELL, message_ids)]


async def stored(con: asyncpg.Connection, message_id: str, kept: timedelta) -> None:
    """Its sound is safe: let it be mailed; in the caller's transaction.

    `kept`: how long, if there is nobody to mail it to.
    """
    waiting = "UPDATE message SET state = 'waiting' WHERE message_id = $1 AND state = 'recorded'"
    if await con.execute(waiting, message_id) == "UPDATE 1":
        await con.execute(KEEP_UNDELIVERABLE, await post(con, [message_id]), kept)


async def absent(con: asyncpg.Connection, message_id: str, why: str) -> None:
    """There is nothing to be heard in it: post that the call was missed, if the owner wants to know."""
    silent = "UPDATE message SET state = 'absent', why = $2 WHERE message_id = $1 AND state = 'recorded'"
    if await con.execute(silent, message_id, why) == "UPDATE 1":
        await post(con, [row["message_id"] for row in await con.fetch(MISSED, message_id)])


def audio_row(call: Revised, message: MessageRecord) -> Mapping[str, Any]:
    """The columns of `audio` that are known when the call has ended."""
    return {
        "audio_id": message.message_id,
        "kind": "message",
        "call_id": call.record.call_id,
        "owner": call.record.owner,
        "node": call.record.node,
        "began": as_text(message.began),
        "ended": as_text(message.ended),
        "how": message.how,
    }


def message_row(call: Revised, message: MessageRecord) -> Mapping[str, Any]:
    """The columns of `message`."""
    record = call.record
    return {
        "message_id": message.message_id,
        "kind": message.kind,
        "call_id": record.call_id,
        "owner": record.owner,
        "number": record.number,
        "caller": record.caller or None,
        "withheld": record.withheld,
        "began": as_text(record.began),
        "outcome": record.outcome,
        "deliver": message.deliver,
        "state": "waiting" if message.kind == "missed" else "recorded",
        "or_missed": message.or_missed,
    }
