"""Messages on their way: stored with their call's record, put into the outbox once their audio is stored."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import asyncpg

from journal.ids import missed_id
from storage import audio_states, message_states
from storage.calls import Revised, as_text
from storage.lease import Audio
from storage.message_states import MessageState
from storage.records import MessageRecord

# All addresses of the first turn, one row each; `dated` is stored so that a repeated mail is the same mail.
POST = """
INSERT INTO outbox (message_id, recipient, domain, dated)
SELECT message_id, recipient, lower(split_part(recipient, '@', 2)), now()
FROM message CROSS JOIN jsonb_array_elements_text(deliver -> 'to') AS recipient
WHERE message_id = ANY($1)
ON CONFLICT (message_id, recipient) DO NOTHING
"""

# A person has to see to these: they stay until a deadline.
KEEP_UNDELIVERABLE = """
UPDATE audio SET destroy_after = now() + $2, reason = 'deadline', next_at = now()
WHERE audio_id = ANY($1) AND destroy_after IS NULL
"""


async def store(con: asyncpg.Connection, calls: Iterable[Revised]) -> None:
    """Store the messages of these calls, unless they are known, in the caller's transaction.

    A message that has been sealed, mailed or destroyed since stays so, however often its call is drained.
    """
    drained = [(call, message) for call in calls for message in call.messages]
    if not drained:
        return
    drained.sort(key=lambda pair: pair[1].message_id)
    voicemail = [audio_row(call, message) for call, message in drained if message.kind == "voicemail"]
    await audio_states.add(con, voicemail)
    added = await message_states.add(con, [message_row(call, message) for call, message in drained])
    await post(con, [message.message_id for message in added if message.state is MessageState.WAITING])


async def post(con: asyncpg.Connection, message_ids: Sequence[str]) -> list[str]:
    """Put waiting messages into the outbox, in the caller's transaction; return those without an address."""
    if not message_ids:
        return []
    await con.execute(POST, message_ids)
    return await message_states.without_address(con, message_ids)


async def stored(con: asyncpg.Connection, message_id: str, kept: timedelta) -> None:
    """Put a message whose audio is now stored into the outbox, in the caller's transaction.

    `kept`: how long its audio is kept if it has no address.
    """
    if await message_states.stored(con, message_id):
        await con.execute(KEEP_UNDELIVERABLE, await post(con, [message_id]), kept)


async def silent(con: asyncpg.Connection, audio: Audio, why: str) -> None:
    """Mail the owner a missed call instead of this message without speech, if the owner wants that."""
    if await message_states.silent(con, audio.audio_id, why):
        missed = missed_id(audio.call_id)
        await post(con, await message_states.add_missed(con, audio.audio_id, missed))


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
    """The columns of `message`, without its state."""
    record, is_of_caller = call.record, message.kind != "left_out"
    return {
        "message_id": message.message_id,
        "kind": message.kind,
        "call_id": record.call_id,
        "owner": record.owner,
        "number": record.number,
        "caller": record.caller or None if is_of_caller else None,
        "withheld": record.withheld and is_of_caller,
        "began": as_text(record.began if is_of_caller else message.began),
        "outcome": record.outcome,
        "deliver": message.deliver,
        "or_missed": message.or_missed,
    }
