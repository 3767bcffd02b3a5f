"""Messages as an operator sees them, and what an operator may do: retry a message, or release it."""

from collections import defaultdict
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from mailer.settling import Locked, lock, spared
from storage import access, message_states
from storage.access import Access, Actor
from storage.destruction import schedule_destruction
from storage.owned.messages import MESSAGES, state_of, values_of

FIND = f"""{MESSAGES}
WHERE ($1::text IS NULL OR message.owner = $1)
  AND ($2::text IS NULL OR message.state = $2)
  AND ($3::timestamptz IS NULL OR message.began >= $3)
  AND ($4::timestamptz IS NULL OR message.began < $4)
  AND ($5::text IS NULL OR message.number = $5)
  AND ($6::text IS NULL OR message.message_id = $6)
ORDER BY message.began, message.message_id
"""
FETCHED = 500  # messages read at a time
RECIPIENTS = "SELECT * FROM outbox WHERE message_id = ANY ($1) ORDER BY message_id, turn, recipient"
ATTEMPTS = "SELECT * FROM attempt WHERE message_id = ANY ($1) ORDER BY message_id, recipient, n"

# Make open recipients due now, unless a worker has claimed them.
HURRY = """
UPDATE outbox SET next_at = now()
WHERE message_id = $1 AND accepted_at IS NULL AND refused_at IS NULL
  AND (lease_until IS NULL OR lease_until < now())
"""
# Start again: the five days and the two refusals are counted anew.
BEGIN_ANEW = """
UPDATE outbox SET next_at = now(), first_at = now(), lease_until = NULL, leased_by = NULL,
    accepted_at = NULL, final = NULL, refused_at = NULL, bounced_at = NULL
WHERE message_id = $1
"""


# One more address for a message, besides those agreed when the call came in (turn 1) and the second one (2).
READDRESS = """
INSERT INTO outbox (message_id, recipient, turn, domain, dated)
SELECT $1, $2, 3, lower(split_part($2, '@', 2)), coalesce(min(dated), now()) FROM outbox WHERE message_id = $1
ON CONFLICT (message_id, recipient) DO NOTHING RETURNING recipient
"""
BY_OWNER = """
SELECT count(*) FROM access
WHERE audio_id = $1 AND what = 'retry' AND actor = 'owner' AND at > now() - interval '1 day'
"""
MOST_BY_OWNER = 5  # of one message, in a day


class NotNow(Exception):
    """The message's state does not allow this; the text says why."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at one recipient: the server's reply and the TLS level."""

    at: datetime
    server: str
    result: str
    reply: str
    tls: str


@dataclass(frozen=True, slots=True)
class RecipientView:
    """The state of one recipient: waiting, accepted, arrived, refused or bounced."""

    recipient: str
    state: str
    next_at: datetime | None
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True)
class Overview:
    """One message. `sound`: the state of its audio, empty for a missed call. `kept_until`: its end."""

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
    recipients: tuple[RecipientView, ...]


async def find(
    con: asyncpg.Connection,
    *,
    owner: str | None = None,
    message_state: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    number: str | None = None,
    message_id: str | None = None,
) -> AsyncGenerator[Overview]:
    """The messages that match, oldest call first, as of one moment; None matches all."""
    async with con.transaction(isolation="repeatable_read", readonly=True):
        cursor = await con.cursor(FIND, owner, message_state, since, until, number, message_id)
        while rows := await cursor.fetch(FETCHED):
            recipients = await _recipients_of(con, [row["message_id"] for row in rows])
            for row in rows:
                yield _overview(row, recipients[row["message_id"]])


async def _recipients_of(
    con: asyncpg.Connection, ids: Sequence[str]
) -> Mapping[str, Sequence[RecipientView]]:
    """Each message's recipients with their attempts."""
    attempts: dict[tuple[str, str], list[Attempt]] = defaultdict(list)
    for row in await con.fetch(ATTEMPTS, ids):
        attempts[row["message_id"], row["recipient"]].append(_attempt(row))
    recipients: dict[str, list[RecipientView]] = defaultdict(list)
    for row in await con.fetch(RECIPIENTS, ids):
        recipients[row["message_id"]].append(_recipient(row, attempts[row["message_id"], row["recipient"]]))
    return recipients


async def retry(
    con: asyncpg.Connection, message_id: str, actor: Actor | None = None, *, to: str | None = None
) -> None:
    """Send a message now; an undeliverable one starts again. Raises LookupError, NotNow.

    `to`: one more address, which gets it instead of those that did not take it. `actor` None: who runs this
    process; an owner may do it MOST_BY_OWNER times a day.
    """
    async with con.transaction():
        message = await lock(con, message_id)
        if actor and await con.fetchval(BY_OWNER, message_id) >= MOST_BY_OWNER:
            raise NotNow(f"it was sent again {MOST_BY_OWNER} times today")
        if message.state not in ("waiting", "bounced", "undeliverable"):
            raise NotNow(
                f"it is {message.state}; only a message that is waiting, bounced or undeliverable can be sent"
            )
        if message.state == "undeliverable" and not await spared(con, message):
            raise NotNow("its audio has been destroyed")
        await _send_again(con, message, to)
        await access.add(con, message_id, Access.RETRY, actor, detail=to)


async def _send_again(con: asyncpg.Connection, message: Locked, to: str | None) -> None:
    """In a transaction that has locked the message. Raises NotNow."""
    if to is not None:
        if await con.fetchval(READDRESS, message.message_id, to) is None:
            raise NotNow(f"it goes to {to} already")
    elif message.state == "undeliverable":
        await con.execute(BEGIN_ANEW, message.message_id)
    else:
        await con.execute(HURRY, message.message_id)
    if message.state == "undeliverable":
        await message_states.retried(con, message.message_id)


async def release(con: asyncpg.Connection, message_id: str) -> None:
    """Give up an undeliverable message: its audio is destroyed. Raises LookupError, NotNow."""
    async with con.transaction():
        message = await lock(con, message_id)
        if message.state != "undeliverable":
            raise NotNow(f"it is {message.state}; only an undeliverable message can be released")
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
        "recipients": [_recipient_object(recipient) for recipient in overview.recipients],
    }


def _recipient_object(recipient: RecipientView) -> dict[str, Any]:
    return {
        "recipient": recipient.recipient,
        "state": recipient.state,
        "next_at": _text(recipient.next_at),
        "attempts": [
            {
                "at": attempt.at.isoformat(),
                "server": attempt.server,
                "result": attempt.result,
                "reply": attempt.reply,
                "tls": attempt.tls,
            }
            for attempt in recipient.attempts
        ],
    }


def _text(instant: datetime | None) -> str | None:
    return instant.isoformat() if instant else None


def _attempt(row: asyncpg.Record) -> Attempt:
    texts = {name: row[name] or "" for name in ("server", "result", "reply", "tls")}
    return Attempt(at=row["at"], **texts)


def _recipient(row: asyncpg.Record, attempts: Sequence[Attempt]) -> RecipientView:
    state = state_of(row)
    next_at = row["next_at"] if state == "waiting" else None
    return RecipientView(row["recipient"], state, next_at, tuple(attempts))


def _overview(row: asyncpg.Record, recipients: Sequence[RecipientView]) -> Overview:
    return Overview(**values_of(row), owner=row["owner"], recipients=tuple(recipients))
