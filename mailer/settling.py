"""When the last recipient of a message has answered: delivered, on to the second address, or nobody took it.

From here the sound's end is set: at once after a final acceptance, after the bounce window after any other,
and after a month when nobody took it. It is never dropped in silence, and never kept without an end.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self

import asyncpg
import structlog

from journal.fault import point
from mailer.bounce import News, Report
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

# A report names its recipient by a digest, for an address does not fit into an address.
NAMED = "SELECT * FROM outbox WHERE message_id = $1 AND left(encode(sha256(recipient::bytea), 'hex'), 8) = $2"
BOUNCED = "UPDATE outbox SET bounced_at = now(), reply = $3 WHERE message_id = $1 AND recipient = $2"
ARRIVED = "UPDATE outbox SET final = true WHERE message_id = $1 AND recipient = $2"


class Fate(StrEnum):
    """Of a message, by all that its recipients have answered."""

    WAITING = "waiting"
    ACCEPTED = "accepted"
    FINAL = "final"  # accepted, and no bounce can follow
    SECOND = "second"  # to the second address now
    UNDELIVERABLE = "undeliverable"


@dataclass(frozen=True, slots=True)
class Recipient:
    """How things stand with one recipient."""

    address: str
    accepted: bool
    final: bool
    refused: bool
    bounced: bool

    @property
    def delivered(self) -> bool:
        return self.accepted and not self.bounced

    @classmethod
    def of(cls, row: asyncpg.Record) -> Self:
        return cls(
            address=row["recipient"],
            accepted=row["accepted_at"] is not None,
            final=bool(row["final"]),
            refused=row["refused_at"] is not None,
            bounced=row["bounced_at"] is not None,
        )


@dataclass(frozen=True, slots=True)
class Locked:
    """A message that nobody else settles until the transaction's end. `second`: its second address."""

    message_id: str
    kind: str
    state: str
    second: str | None
    now: datetime


def fate(recipients: Sequence[Recipient], second: str | None) -> Fate:
    """What is to become of a message with these recipients so far, and perhaps a second address."""
    if any(not one.accepted and not one.refused for one in recipients):
        return Fate.WAITING
    if delivered := [one for one in recipients if one.delivered]:
        return Fate.FINAL if all(one.final for one in delivered) else Fate.ACCEPTED
    if second and second not in {one.address for one in recipients}:
        return Fate.SECOND
    return Fate.UNDELIVERABLE


async def lock(con: asyncpg.Connection, message_id: str) -> Locked:
    """Lock it, in the caller's transaction. Raises LookupError when there is none."""
    row = await con.fetchrow(LOCK, message_id)
    if row is None:
        raise LookupError(message_id)
    return Locked(**row)


async def settle(con: asyncpg.Connection, message: Locked, window: timedelta, kept: timedelta) -> Fate:
    """Draw the conclusion from what the recipients have answered, in the caller's transaction; repeatable.

    `window`: in which a bounce may come; `kept`: how long what nobody took is kept.
    """
    message_id = message.message_id
    recipients = [Recipient.of(row) for row in await con.fetch(RECIPIENTS, message_id)]
    decided = fate(recipients, message.second)
    bounced = any(one.bounced for one in recipients)
    match decided:
        case Fate.ACCEPTED | Fate.FINAL:
            await message_states.accepted(con, message_id)
            until = message.now if decided is Fate.FINAL else message.now + window
            await schedule_destruction(con, message_id, until, "delivered")
        case Fate.SECOND if await _to_second(con, message, bounced=bounced):
            pass
        case Fate.SECOND | Fate.UNDELIVERABLE:
            await _undeliverable(con, message_id, message.now + kept, bounced=bounced)
    return decided


async def _to_second(con: asyncpg.Connection, message: Locked, *, bounced: bool) -> bool:
    """Put it into the outbox for the second address; False when its sound is gone already."""
    if bounced and not await spared(con, message):
        return False
    await con.execute(SECOND, message.message_id, message.second)
    await message_states.to_second_address(con, message.message_id, bounced=bounced)
    log.warning("message to its second address", message=message.message_id, bounced=bounced)
    return True


async def spared(con: asyncpg.Connection, message: Locked) -> bool:
    """Is what is to be mailed still there? Then it has no deadline any more."""
    return message.kind == "missed" or await cancel_destruction(con, message.message_id)


async def _undeliverable(con: asyncpg.Connection, message_id: str, until: datetime, *, bounced: bool) -> None:
    why = "bounced" if bounced else "refused"
    await message_states.undeliverable(con, message_id, bounced=bounced)
    await schedule_destruction(con, message_id, until, "deadline")
    log.critical("message undeliverable", message=message_id, why=why, kept_until=until.isoformat())


class TooEarly(Exception):
    """A report about a mail that we do not know to have been accepted yet."""


async def heard(
    con: asyncpg.Connection,
    returned: Returned,
    report: Report,
    window: timedelta,
    kept: timedelta,
) -> None:
    """Draw the conclusion from a report, in a transaction; the same report twice changes nothing.

    Raises TooEarly: it is to be brought again.
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
        told = (returned.message_id, row["recipient"])
        if report.news is News.FAILED:
            await con.execute(BOUNCED, *told, report.why)
        elif report.news is News.ARRIVED:
            await con.execute(ARRIVED, *told)
        else:
            return
        await settle(con, message, window, kept)
    point("bounce.after_write")
