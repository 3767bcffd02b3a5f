"""Settle a message once all recipients have answered: delivered, on to the second address, or undeliverable.

This sets the end of its audio: at once after a final acceptance, after the bounce window after any other
acceptance, after a month if undeliverable. Audio is never dropped silently, and never stored without an end.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self

import asyncpg
import structlog

from journal.fault import point
from mailer.bounce import Report, ReportStatus
from mailer.return_address import Returned
from storage import message_states
from storage.destruction import cancel_destruction, schedule_destruction

log = structlog.get_logger()

LOCK = """
SELECT message_id, kind, state, deliver ->> 'then' AS second, now() AS now
FROM message WHERE message_id = $1 FOR UPDATE
"""
RECIPIENTS = "SELECT * FROM outbox WHERE message_id = $1 ORDER BY turn, recipient"
SECOND = """
INSERT INTO outbox (message_id, recipient, turn, domain, dated)
SELECT $1, $2, 2, lower(split_part($2, '@', 2)), min(dated) FROM outbox WHERE message_id = $1
"""

# A return address names its recipient by a digest, because a whole address does not fit into it.
NAMED = "SELECT * FROM outbox WHERE message_id = $1 AND left(encode(sha256(recipient::bytea), 'hex'), 8) = $2"
BOUNCED = "UPDATE outbox SET bounced_at = now(), reply = $3 WHERE message_id = $1 AND recipient = $2"
ARRIVED = "UPDATE outbox SET final = true WHERE message_id = $1 AND recipient = $2"


class Fate(StrEnum):
    """The fate of a message, by the answers of all its recipients."""

    WAITING = "waiting"
    ACCEPTED = "accepted"
    FINAL = "final"  # accepted, and no bounce can follow
    SECOND = "second"  # goes to the second address
    UNDELIVERABLE = "undeliverable"


@dataclass(frozen=True, slots=True)
class Recipient:
    """The state of one recipient."""

    address: str
    accepted_at: datetime | None
    final: bool
    refused: bool
    bounced: bool

    @property
    def accepted(self) -> bool:
        return self.accepted_at is not None

    @property
    def delivered(self) -> bool:
        return self.accepted and not self.bounced

    @classmethod
    def of(cls, row: asyncpg.Record) -> Self:
        return cls(
            address=row["recipient"],
            accepted_at=row["accepted_at"],
            final=bool(row["final"]),
            refused=row["refused_at"] is not None,
            bounced=row["bounced_at"] is not None,
        )


@dataclass(frozen=True, slots=True)
class Locked:
    """A message row that is locked until the end of the transaction. `second`: the second address."""

    message_id: str
    kind: str
    state: str
    second: str | None
    now: datetime


def fate(recipients: Sequence[Recipient], second: str | None) -> Fate:
    """Decide the fate of a message from its recipients and its second address, if it has one."""
    if any(not recipient.accepted and not recipient.refused for recipient in recipients):
        return Fate.WAITING
    if delivered := [recipient for recipient in recipients if recipient.delivered]:
        return Fate.FINAL if all(recipient.final for recipient in delivered) else Fate.ACCEPTED
    if second and second not in {recipient.address for recipient in recipients}:
        return Fate.SECOND
    return Fate.UNDELIVERABLE


async def lock(con: asyncpg.Connection, message_id: str) -> Locked:
    """Lock a message in the caller's transaction. Raises LookupError if it does not exist."""
    row = await con.fetchrow(LOCK, message_id)
    if row is None:
        raise LookupError(message_id)
    return Locked(**row)


async def settle(con: asyncpg.Connection, message: Locked, window: timedelta, kept: timedelta) -> Fate:
    """Apply the fate of the message, in the caller's transaction; repeatable.

    `window`: how long a bounce may follow. `kept`: how long an undeliverable message is stored.
    """
    message_id = message.message_id
    recipients = [Recipient.of(row) for row in await con.fetch(RECIPIENTS, message_id)]
    decided = fate(recipients, message.second)
    bounced = any(recipient.bounced for recipient in recipients)
    match decided:
        case Fate.ACCEPTED | Fate.FINAL:
            await message_states.accepted(con, message_id)
            # From the acceptance: reports about one recipient must not keep the audio for ever.
            last = max(recipient.accepted_at for recipient in recipients if recipient.accepted_at)
            until = message.now if decided is Fate.FINAL else last + window
            await schedule_destruction(con, message_id, until, "delivered")
        case Fate.SECOND if await _to_second(con, message, bounced=bounced):
            pass
        case Fate.SECOND | Fate.UNDELIVERABLE:
            await _undeliverable(con, message_id, message.now + kept, bounced=bounced)
    return decided


async def _to_second(con: asyncpg.Connection, message: Locked, *, bounced: bool) -> bool:
    """Add the second address to the outbox; False if the audio has been destroyed already."""
    if bounced and not await spared(con, message):
        return False
    await con.execute(SECOND, message.message_id, message.second)
    await message_states.to_second_address(con, message.message_id, bounced=bounced)
    log.warning("message_readdressed", message=message.message_id, bounced=bounced)
    return True


async def spared(con: asyncpg.Connection, message: Locked) -> bool:
    """Whether the message can still be mailed. Removes the deadline of its audio."""
    return message.kind != "voicemail" or await cancel_destruction(con, message.message_id)


async def _undeliverable(con: asyncpg.Connection, message_id: str, until: datetime, *, bounced: bool) -> None:
    why = "bounced" if bounced else "refused"
    await message_states.undeliverable(con, message_id, bounced=bounced)
    await schedule_destruction(con, message_id, until, "deadline")
    log.critical("message_undeliverable", message=message_id, why=why, kept_until=until.isoformat())


class TooEarly(Exception):
    """The report concerns a mail whose acceptance has not been stored yet."""


async def settle_report(
    con: asyncpg.Connection,
    returned: Returned,
    report: Report,
    window: timedelta,
    kept: timedelta,
) -> None:
    """Apply a report in a transaction; repeating it changes nothing.

    Raises TooEarly: the server has to send it again.
    """
    point("bounce.before_write")
    async with con.transaction():
        try:
            message = await lock(con, returned.message_id)
        except LookupError:
            return
        row = await con.fetchrow(NAMED, *returned)
        if row is None or row["refused_at"] is not None or row["bounced_at"] is not None:
            return
        if row["accepted_at"] is None:
            raise TooEarly
        key = (returned.message_id, row["recipient"])
        if report.status is ReportStatus.FAILED:
            await con.execute(BOUNCED, *key, report.why)
        elif report.status is ReportStatus.ARRIVED:
            await con.execute(ARRIVED, *key)
        else:
            return
        await settle(con, message, window, kept)
    point("bounce.after_write")
