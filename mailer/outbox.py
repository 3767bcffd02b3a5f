"""The outbox: claim the mail that is due, store the result of the attempt.

A claim stores the next attempt before this one is made, and its lease is longer than an attempt can last:
there is no state "sending", so no mail can be stuck in it. No transaction is open while SMTP talks.
"""

import json
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Self, cast

import asyncpg

from dialplan.delivery import Delivery
from journal.fault import point
from mailer.answer import Accepted, Answer, Deferred
from mailer.backoff import REFUSALS, STEPS, given_up, next_wait
from mailer.compose import Message
from mailer.settling import lock, settle

# $1 node, $2 lease, $3 waits by attempt, $4 domains at their limit of attempts, $5 the smarthost, whose TLS
# counts, or NULL for each domain's own. Attempts before `first_at` do not count against a recipient.
CLAIM = """
WITH due AS (
    SELECT message_id, recipient FROM outbox
    WHERE accepted_at IS NULL AND refused_at IS NULL AND next_at <= now()
      AND (lease_until IS NULL OR lease_until < now()) AND domain <> ALL ($4)
    ORDER BY next_at LIMIT 1 FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE outbox SET leased_by = $1, lease_until = now() + $2, attempts = attempts + 1,
        next_at = now() + greatest($2, ($3::interval[])[least(attempts + 1, cardinality($3))])
    FROM due WHERE outbox.message_id = due.message_id AND outbox.recipient = due.recipient
    RETURNING outbox.*
)
SELECT claimed.recipient, claimed.domain, claimed.dated, claimed.attempts AS attempt,
    now() - claimed.first_at AS age,
    message.message_id, message.kind, message.number, message.caller, message.withheld, message.began,
    message.outcome, message.deliver, audio.seconds, tally.refusals, tally.failures,
    EXISTS (SELECT FROM tls_seen WHERE tls_seen.domain = coalesce($5, claimed.domain)) AS tls_seen
FROM claimed
JOIN message USING (message_id)
LEFT JOIN audio ON audio.audio_id = claimed.message_id
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE result = 'refused') AS refusals,
        count(*) FILTER (WHERE tls = 'failed') AS failures
    FROM attempt
    WHERE attempt.message_id = claimed.message_id AND attempt.recipient = claimed.recipient
      AND attempt.at >= claimed.first_at
) AS tally
"""

# Store the attempt, the domain's first TLS, and the recipient's state. An acceptance counts even if another
# worker has claimed the row since; any other result counts only while the claim is ours.
WRITE = """
WITH stored AS (
    INSERT INTO attempt (message_id, recipient, n, server, result, reply, tls)
    VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (message_id, recipient, n) DO NOTHING
), first_tls AS (
    INSERT INTO tls_seen (domain, last) SELECT $8, $7 WHERE $8::text IS NOT NULL
    ON CONFLICT (domain) DO NOTHING
)
UPDATE outbox SET lease_until = NULL, leased_by = NULL, reply = $6, tls = $7, next_at = now() + $9,
    accepted_at = CASE WHEN $10 THEN now() END, final = $11, refused_at = CASE WHEN $12 THEN now() END
WHERE message_id = $1 AND recipient = $2 AND accepted_at IS NULL AND (attempts = $3 OR $10)
"""
GIVE_BACK = """
UPDATE outbox SET lease_until = NULL, leased_by = NULL, next_at = now() + $4
WHERE message_id = $1 AND recipient = $2 AND attempts = $3 AND accepted_at IS NULL
"""
GIVE_ALL_BACK = """
UPDATE outbox SET lease_until = NULL, leased_by = NULL, next_at = now()
WHERE leased_by = $1 AND accepted_at IS NULL AND refused_at IS NULL
"""
LOCK_OF_NODE = 0x6D61696C  # "mail"


@dataclass(frozen=True, slots=True)
class Terms:
    """The settings that bind an attempt. `smarthost`: its host name, if all mail goes there."""

    node: str
    lease: timedelta
    window: timedelta  # in which a bounce may still come, after an acceptance that is not final
    kept: timedelta  # how long an undeliverable message is stored
    smarthost: str | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """One message to one recipient, claimed by us until the lease ends. `attempt` counts from 1."""

    message_id: str
    recipient: str
    domain: str
    attempt: int
    refusals: int
    failures: int  # attempts that ended in a failed TLS handshake
    age: timedelta  # since the first attempt was due
    tls_seen: bool
    row: Mapping[str, Any]

    @classmethod
    def of(cls, row: asyncpg.Record) -> Self:
        return cls(**{name: row[name] for name in cls.__dataclass_fields__ if name != "row"}, row=dict(row))

    def message(self) -> Message:
        """The message of this row. Raises KeyError, TypeError or ValueError if the row is invalid."""
        row = self.row
        return Message(
            message_id=self.message_id,
            kind=row["kind"],
            number=row["number"],
            caller=row["caller"] or "",
            withheld=row["withheld"],
            began=row["began"],
            outcome=row["outcome"],
            deliver=Delivery.from_json(json.loads(row["deliver"])),
            dated=row["dated"],
            seconds=None if row["seconds"] is None else float(row["seconds"]),
        )


@dataclass(frozen=True, slots=True)
class Unbuilt(Answer):
    """No mail can be built of this message, not even a plain one."""


async def claim(con: asyncpg.Connection, terms: Terms, full: Collection[str] = ()) -> Claim | None:
    """Claim the mail that has been due longest, except to the domains in `full`; None if none is due."""
    row = await con.fetchrow(CLAIM, terms.node, terms.lease, STEPS, list(full), terms.smarthost)
    point("outbox.after_claim")
    return Claim.of(row) if row else None


async def write(
    con: asyncpg.Connection, claim: Claim, answer: Answer, terms: Terms, chance: float = 0.0
) -> None:
    """Store the result of an attempt, and settle the message if this was its last open recipient.

    `chance` in 0..1 spreads the next attempts. Repeating it changes nothing.
    """
    refused = settles(claim, answer)
    point("outbox.before_write")
    async with con.transaction():
        locked = await lock(con, claim.message_id)
        await con.execute(WRITE, *columns(claim, answer, terms, chance), refused)
        if isinstance(answer, Accepted) or refused:
            await settle(con, locked, terms.window, terms.kept)
        point("outbox.before_commit")
    point("outbox.after_commit")


def columns(claim: Claim, answer: Answer, terms: Terms, chance: float) -> tuple[Any, ...]:
    """All arguments of WRITE except the last."""
    first_tls = "verified" in answer.tls and not claim.tls_seen  # also in "unverified"
    return (
        claim.message_id,
        claim.recipient,
        claim.attempt,
        answer.server,
        result_of(answer),
        answer.reply,
        answer.tls,
        (terms.smarthost or claim.domain) if first_tls else None,
        next_wait(claim.attempt, chance),
        isinstance(answer, Accepted),
        answer.final if isinstance(answer, Accepted) else None,
    )


def result_of(answer: Answer) -> str:
    """The value of the column `attempt.result`."""
    match answer:
        case Accepted():
            return "accepted"
        case Deferred():
            return "deferred"
        case Unbuilt():
            return "unbuildable"
        case _:
            return "refused"


def settles(claim: Claim, answer: Answer) -> bool:
    """Whether to stop: this recipient gets no further attempt."""
    match result_of(answer):
        case "accepted":
            return False
        case "deferred":
            return given_up(claim.age)
        case "unbuildable":
            return True
        case _:
            return claim.refusals + 1 >= REFUSALS or getattr(answer, "sure", False)


async def give_back(con: asyncpg.Connection, claim: Claim, wait: timedelta = timedelta(0)) -> None:
    """Release a claim whose attempt was not finished: it is due again after `wait`."""
    await con.execute(GIVE_BACK, claim.message_id, claim.recipient, claim.attempt, wait)


async def give_all_back(con: asyncpg.Connection, node: str) -> bool:
    """Release the claims of this node's dead worker; return False while another worker of the node lives.

    The advisory lock that shows that lasts as long as `con`: keep it open.
    """
    if not await con.fetchval("SELECT pg_try_advisory_lock($1, hashtext($2))", LOCK_OF_NODE, node):
        return False
    await give_lost_back(con, node)
    return True


async def give_lost_back(con: asyncpg.Connection, node: str) -> None:
    """Release all claims of this node: nobody works under them."""
    await con.execute(GIVE_ALL_BACK, node)


@asynccontextmanager
async def taken(pool: asyncpg.Pool) -> AsyncIterator[asyncpg.Connection]:
    """A connection from the pool, with the type it has in effect."""
    async with pool.acquire(timeout=5) as con:
        yield cast("asyncpg.Connection", con)
