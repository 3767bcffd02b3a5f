"""Disclosures: call records of one number and period for an authority, by two persons.

The first one asks, with reason and reference; the second one has the file written. What is added to the
access log and to `disclosure_export` is in the transaction that reads the records: no file is without it.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from dialplan.address import is_address
from process.operators import person
from storage import access
from storage.access import Access, this_process
from storage.calls import LEGS_OF, as_leg, as_record
from storage.erased_number import NumberKeys, spellings
from storage.records import CallRecord

MOST_CALLS = 100_000  # in one file, which is made in memory

ASK = """
INSERT INTO disclosure
    (number_hash, since, until, authority, reason, reference, confidential, by_one, operator, host)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING disclosure_id
"""
KEEP_NUMBER = "INSERT INTO disclosure_number (disclosure_id, sealed) VALUES ($1, $2)"
OVER = """
DELETE FROM disclosure_number USING disclosure
WHERE disclosure.disclosure_id = disclosure_number.disclosure_id AND asked_at < now() - interval '7 days'
"""
GET = """
SELECT disclosure.*, sealed, exported_at FROM disclosure
LEFT JOIN disclosure_number USING (disclosure_id) LEFT JOIN disclosure_export USING (disclosure_id)
WHERE disclosure_id = $1
"""
LOCK = "SELECT FROM disclosure_number WHERE disclosure_id = $1 FOR UPDATE"
# As the caller, as the number that was dialled, and as a destination.
CALLS = """
SELECT * FROM call
WHERE began >= $2 AND began < $3 AND (caller = ANY($1) OR number = ANY($1) OR EXISTS (
    SELECT FROM leg WHERE leg.call_id = call.call_id AND destination = ANY($1)))
ORDER BY began, call_id LIMIT $4
"""
EXPORTED = """
INSERT INTO disclosure_export (disclosure_id, by_other, operator, host, format, calls, owners, sha256)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
FORGET_NUMBER = "DELETE FROM disclosure_number WHERE disclosure_id = $1"
ALL = """
SELECT disclosure.disclosure_id, asked_at, authority, reason, reference, since, until, confidential, by_one,
    disclosure.operator, by_other, exported_at, format, calls, owners, sha256
FROM disclosure LEFT JOIN disclosure_export USING (disclosure_id) ORDER BY disclosure_id
"""

Write = Callable[[Sequence[CallRecord]], str]


class NotDisclosed(Exception):
    """This disclosure cannot be exported; the text says why."""


@dataclass(frozen=True, slots=True)
class Order:
    """What an authority asks for. `by`: the person here who asks for the export."""

    number: str
    since: datetime
    until: datetime
    authority: str
    reason: str
    reference: str
    by: str
    confidential: bool = False


@dataclass(frozen=True, slots=True)
class Approval:
    """By the second person. `write`: makes the file of the records, in `format`."""

    by: str
    format: str
    write: Write


@dataclass(frozen=True, slots=True)
class Export:
    """The file that goes to the authority."""

    text: str
    calls: int
    owners: tuple[str, ...]
    sha256: str


async def ask(con: asyncpg.Connection, order: Order, keys: NumberKeys) -> int:
    """Store the order; return its number, by which another person has it exported within seven days."""
    actor = this_process()
    async with con.transaction():
        await con.execute(OVER)
        disclosure_id = await con.fetchval(
            ASK, keys.hash(order.number), order.since, order.until, order.authority, order.reason,
            order.reference, order.confidential, order.by, actor.operator, actor.host,
        )  # fmt: skip
        await con.execute(KEEP_NUMBER, disclosure_id, keys.seal(order.number))
    return int(disclosure_id)


async def export(
    con: asyncpg.Connection, disclosure_id: int, approval: Approval, keys: NumberKeys, country: str
) -> Export:
    """Make the file, once; log it. Raises NotDisclosed. Not in a transaction."""
    async with con.transaction(isolation="repeatable_read"):
        await con.execute(LOCK, disclosure_id)
        row = await con.fetchrow(GET, disclosure_id)
        if row is None:
            raise NotDisclosed(
                f"there is no disclosure {disclosure_id}; callengine disclose --list shows them"
            )
        number = number_of(row, approval.by, keys)
        written = [number] if is_address(number) else spellings(number, country)
        records = await calls_of(con, written, row["since"], row["until"])
        text = approval.write(records)
        owners = tuple(sorted({record.owner for record in records}))
        made = Export(text, len(records), owners, hashlib.sha256(text.encode()).hexdigest())
        await _log(con, row, approval, made)
    return made


def number_of(row: asyncpg.Record, by: str, keys: NumberKeys) -> str:
    """The number of this order, if `by` may have it exported now. Raises NotDisclosed."""
    disclosure_id = row["disclosure_id"]
    if row["exported_at"] is not None:
        raise NotDisclosed(f"disclosure {disclosure_id} was exported already; ask for it again")
    if by.casefold() == row["by_one"].casefold():
        raise NotDisclosed(f"{row['by_one']} has asked for it: another person has to approve it")
    if person(this_process().operator) == person(row["operator"]):
        raise NotDisclosed(
            f"the login {person(row['operator'])} has asked for it: another person has to approve it, who "
            "has logged in as another user (sudo and su keep the login)"
        )
    if row["sealed"] is None:
        raise NotDisclosed(f"disclosure {disclosure_id} is older than seven days; ask for it again")
    number = keys.open(row["sealed"])
    if number is None:
        raise NotDisclosed("the master key of its day is not in `master_key`; ask for it again")
    return number


async def calls_of(
    con: asyncpg.Connection, spelled: Sequence[str], since: datetime, until: datetime
) -> list[CallRecord]:
    """The calls of this number that began in that period, oldest first. Raises NotDisclosed if too many."""
    rows = await con.fetch(CALLS, spelled, since, until, MOST_CALLS + 1)
    if len(rows) > MOST_CALLS:
        raise NotDisclosed(f"these are more than {MOST_CALLS} calls: ask for a shorter period")
    legs = defaultdict(list)
    for leg in await con.fetch(LEGS_OF, [row["call_id"] for row in rows]):
        legs[leg["call_id"]].append(as_leg(leg))
    return [as_record(row, tuple(legs[row["call_id"]])) for row in rows]


async def _log(con: asyncpg.Connection, row: asyncpg.Record, approval: Approval, made: Export) -> None:
    """In the caller's transaction: the export, a line in the access log for each owner; the number goes."""
    actor, disclosure_id = this_process(), row["disclosure_id"]
    by, owners = approval.by, list(made.owners)
    exported = (by, actor.operator, actor.host, approval.format, made.calls, owners, made.sha256)
    await con.execute(EXPORTED, disclosure_id, *exported)
    await con.execute(FORGET_NUMBER, disclosure_id)
    detail = (
        f"disclosure {disclosure_id}: {row['reference']}, to {row['authority']}, by {row['by_one']} and {by}"
    )
    authority = access.Actor(actor.operator, actor.host, "authority")
    for owner in [None] if row["confidential"] or not owners else owners:
        await access.add(con, None, Access.DISCLOSE, authority, owner=owner, detail=detail)
