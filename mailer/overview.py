"""What an operator sees of messages, and may do about one: try it again now, or give it up."""

from collections import defaultdict
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from mailer.settling import lock, spared
from storage import access, message_states
from storage.access import Access
from storage.destruction import schedule_destruction

FIND = """
SELECT message.message_id, message.kind, message.call_id, message.owner, message.number, message.caller,
    message.withheld, message.began, message.state, message.why, audio.state AS sound, audio.seconds,
    audio.destroy_after, audio.hold, tombstone.destroyed_at
FROM message
LEFT JOIN audio ON audio.audio_id = message.message_id
LEFT JOIN tombstone ON tombstone.audio_id = message.message_id
WHERE ($1::text IS NULL OR message.owner = $1)
  AND ($2::text IS NULL OR message.state = $2)
  AND ($3::timestamptz IS NULL OR message.began >= $3)
  AND ($4::text IS NULL OR message.message_id = $4)
ORDER BY message.began, message.message_id
"""
FETCHED = 500  # messages read at a time
RECIPIENTS = "SELECT * FROM outbox WHERE message_id = ANY ($1) ORDER BY message_id, turn, recipient"
ATTEMPTS = "SELECT * FROM attempt WHERE message_id = ANY ($1) ORDER BY message_id, recipient, n"

# What is waiting is due now, unless somebody is at it.
HURRY = """
UPDATE outbox SET next_at = now()
WHERE message_id = $1 AND accepted_at IS NULL AND refused_at IS NULL
  AND (lease_until IS NULL OR lease_until < now())
"""
# Five days and two refusals begin anew.
BEGIN_ANEW = """
UPDATE outbox SET next_at = now(), first_at = now(), lease_until = NULL, leased_by = NULL,
    accepted_at = NULL, final = NULL, refused_at = NULL, bounced_at = NULL
WHERE message_id = $1
"""


class NotNow(Exception):
    """This cannot be done with a message in its state; the message says why."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at one recipient: what the server said, and how encrypted it was."""

    at: datetime
    server: str
    result: str
    reply: str
    tls: str


@dataclass(frozen=True, slots=True)
class Addressed:
    """How it stands with one recipient: waiting, accepted, arrived, refused or bounced."""

    recipient: str
    state: str
    next_at: datetime | None
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True)
class Overview:
    """One message. `sound`: the state of its audio, empty for a missed call; `kept_until`: when that ends."""

    message_id: str
    kind: str
    call_id: str
    owner: str
    number: str
    caller: str
    withheld: bool
    began: datetime
    state: str
    why: str
    sound: str
    seconds: float | None
    kept_until: datetime | None
    held: bool
    destroyed: datetime | None
    recipients: tuple[Addressed, ...]


async def find(
    con: asyncpg.Connection,
    owner: str | None = None,
    state: str | None = None,
    since: datetime | None = None,
    message_id: str | None = None,
) -> AsyncGenerator[Overview]:
    """The messages of these, oldest call first, as of one moment; None asks nothing."""
    async with con.transaction(isolation="repeatable_read", readonly=True):
        cursor = await con.cursor(FIND, owner, state, since, message_id)
        while rows := await cursor.fetch(FETCHED):
            addressed = await _addressed_of(con, [row["message_id"] for row in rows])
            for row in rows:
                yield _overview(row, addressed[row["message_id"]])


async def _addressed_of(con: asyncpg.Connection, ids: Sequence[str]) -> Mapping[str, Sequence[Addressed]]:
    """Each message's recipients with their attempts."""
    attempts: dict[tuple[str, str], list[Attempt]] = defaultdict(list)
    for row in await con.fetch(ATTEMPTS, ids):
        attempts[row["message_id"], row["recipient"]].append(_attempt(row))
    addressed: dict[str, list[Addressed]] = defaultdict(list)
    for row in await con.fetch(RECIPIENTS, ids):
        addressed[row["message_id"]].append(_addressed(row, attempts[row["message_id"], row["recipient"]]))
    return addressed


async def retry(con: asyncpg.Connection, message_id: str) -> None:
    """Have it sent now: what waits, or what nobody took, from the beginning. Raises LookupError, NotNow."""
    async with con.transaction():
        message = await lock(con, message_id)
        if message.state in ("waiting", "bounced"):
            await con.execute(HURRY, message_id)
        elif message.state != "undeliverable":
            raise NotNow(f"it is {message.state}; only what waits, bounced or is undeliverable can be sent")
        elif not await spared(con, message):
            raise NotNow("its sound has been destroyed")
        else:
            await con.execute(BEGIN_ANEW, message_id)
            await message_states.retried(con, message_id)
        await access.add(con, message_id, Access.RETRY)


async def release(con: asyncpg.Connection, message_id: str) -> None:
    """Give up a message that nobody took: its sound is destroyed. Raises LookupError, NotNow."""
    async with con.transaction():
        message = await lock(con, message_id)
        if message.state != "undeliverable":
            raise NotNow(f"it is {message.state}; only what is undeliverable can be given up")
        await schedule_destruction(con, message_id, message.now, "operator")
        await message_states.given_up(con, message_id, message.kind)
        await access.add(con, message_id, Access.RELEASE)


def as_object(overview: Overview) -> dict[str, Any]:
    """For JSON."""
    return {
        "message_id": overview.message_id,
        "kind": overview.kind,
        "call_id": overview.call_id,
        "owner": overview.owner,
        "number": overview.number,
        "caller": overview.caller,
        "withheld": overview.withheld,
        "began": overview.began.isoformat(),
        "state": overview.state,
        "why": overview.why,
        "sound": overview.sound,
        "seconds": overview.seconds,
        "kept_until": _text(overview.kept_until),
        "held": overview.held,
        "destroyed": _text(overview.destroyed),
        "recipients": [_recipient(one) for one in overview.recipients],
    }


def _recipient(one: Addressed) -> dict[str, Any]:
    return {
        "recipient": one.recipient,
        "state": one.state,
        "next_at": _text(one.next_at),
        "attempts": [
            {
                "at": attempt.at.isoformat(),
                "server": attempt.server,
                "result": attempt.result,
                "reply": attempt.reply,
                "tls": attempt.tls,
            }
            for attempt in one.attempts
        ],
    }


def _text(instant: datetime | None) -> str | None:
    return instant.isoformat() if instant else None


def _attempt(row: asyncpg.Record) -> Attempt:
    told = {name: row[name] or "" for name in ("server", "result", "reply", "tls")}
    return Attempt(at=row["at"], **told)


def _addressed(row: asyncpg.Record, attempts: Sequence[Attempt]) -> Addressed:
    state = _state(row)
    next_at = row["next_at"] if state == "waiting" else None
    return Addressed(row["recipient"], state, next_at, tuple(attempts))


def _state(row: asyncpg.Record) -> str:
    if row["bounced_at"]:
        return "bounced"
    if row["accepted_at"]:
        return "arrived" if row["final"] else "accepted"
    return "refused" if row["refused_at"] else "waiting"


def _overview(row: asyncpg.Record, recipients: Sequence[Addressed]) -> Overview:
    return Overview(
        message_id=row["message_id"],
        kind=row["kind"],
        call_id=str(row["call_id"]),
        owner=row["owner"],
        number=row["number"],
        caller=row["caller"] or "",
        withheld=row["withheld"],
        began=row["began"],
        state=row["state"],
        why=row["why"] or "",
        sound=row["sound"] or "",
        seconds=None if row["seconds"] is None else float(row["seconds"]),
        kept_until=None if row["destroyed_at"] else row["destroy_after"],
        held=row["hold"] is not None,
        destroyed=row["destroyed_at"],
        recipients=tuple(recipients),
    )
