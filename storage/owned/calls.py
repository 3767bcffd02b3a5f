"""An owner's call records, newest first: page by page, as a stream, or one of them.

A page is found by the last record of the page before (keyset), so the thousandth costs what the first does.
"""

from collections import defaultdict
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from storage.calls import LEGS_OF, as_leg, as_record
from storage.records import CallRecord, LegRecord
from storage.rows import FETCHED

LONGEST_PAGE = 200

CONDITIONS = """
WHERE owner = $1
  AND ($2::text IS NULL OR number = $2)
  AND ($3::timestamptz IS NULL OR began >= $3)
  AND ($4::timestamptz IS NULL OR began < $4)
  AND ($5::text[] IS NULL OR outcome = ANY($5))
  AND ($6::text[] IS NULL OR caller = ANY($6))
  AND ($7::boolean IS NULL OR withheld = $7)
  AND ($8::timestamptz IS NULL OR (began, call_id) < ($8, $9::uuid))
"""
NEWEST_FIRST = "ORDER BY began DESC, call_id DESC"
# First only what an index has: a filter that leaves few of a million reads no other row of the table.
CHOICE = f"SELECT call_id, began FROM call {CONDITIONS} {NEWEST_FIRST} LIMIT $10"  # noqa: S608 - made of constants


def each(column: str, values: str) -> str:
    """The newest calls of each value, from the index of that column, and of these the newest.

    PostgreSQL by itself would read all calls in the order of their time until it has found enough.
    """
    return f"""
        SELECT * FROM (SELECT DISTINCT unnest({values}::text[]) AS wanted) AS one
        CROSS JOIN LATERAL (
            SELECT call_id, began FROM call {CONDITIONS} AND {column} = wanted {NEWEST_FIRST} LIMIT $10
        ) AS newest {NEWEST_FIRST} LIMIT $10
    """  # noqa: S608 - the same


def page_of(choice: str) -> str:
    return f"""
        SELECT call.* FROM ({choice}) AS chosen
        JOIN call ON call.call_id = chosen.call_id
        ORDER BY chosen.began DESC, chosen.call_id DESC
    """  # noqa: S608 - the same


PAGE = page_of(CHOICE)
PAGE_OF_CALLERS = page_of(each("caller", "$6"))
PAGE_OF_OUTCOMES = page_of(each("outcome", "$5"))
ALL = f"SELECT * FROM call {CONDITIONS} {NEWEST_FIRST}"  # noqa: S608 - the same

GET = "SELECT * FROM call WHERE owner = $1 AND call_id = $2"


@dataclass(frozen=True, slots=True)
class CallFilter:
    """Which calls; None does not restrict. Begun at or after `since` and before `until`.

    `callers`: the same number in each form that a trunk may have sent.
    """

    number: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    outcomes: tuple[str, ...] | None = None
    callers: tuple[str, ...] | None = None
    withheld: bool | None = None


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last record of a page: the next page begins after it."""

    began: datetime
    call_id: UUID


async def page(
    con: asyncpg.Connection, owner: str, wanted: CallFilter, after: Cursor | None, size: int
) -> tuple[list[CallRecord], Cursor | None]:
    """The next records with their legs, at most `size`; and where the page after them begins, if any."""
    size = min(size, LONGEST_PAGE)
    async with con.transaction(isolation="repeatable_read", readonly=True):
        rows = await con.fetch(statement(wanted), *parameters(owner, wanted, after), size + 1)
        records = await with_legs(con, rows[:size])
    last = rows[size - 1] if len(rows) > size else None
    return records, Cursor(last["began"], last["call_id"]) if last else None


def statement(wanted: CallFilter) -> str:
    """The one that reads the fewest rows."""
    if wanted.callers is not None:
        return PAGE_OF_CALLERS
    return PAGE if wanted.outcomes is None else PAGE_OF_OUTCOMES


async def stream(con: asyncpg.Connection, owner: str, wanted: CallFilter) -> AsyncGenerator[CallRecord]:
    """All of these records, as of one moment; in pieces, so that millions take no more memory than one."""
    async with con.transaction(isolation="repeatable_read", readonly=True):
        cursor = await con.cursor(ALL, *parameters(owner, wanted, None))
        while rows := await cursor.fetch(FETCHED):
            for record in await with_legs(con, rows):
                yield record


async def get(con: asyncpg.Connection, owner: str, call_id: UUID) -> CallRecord | None:
    """One record; None when this owner has no such call."""
    async with con.transaction(isolation="repeatable_read", readonly=True):
        row = await con.fetchrow(GET, owner, call_id)
        found = await with_legs(con, [row] if row else [])
    return found[0] if found else None


def parameters(owner: str, wanted: CallFilter, after: Cursor | None) -> tuple[object, ...]:
    """Those of CONDITIONS."""
    return (
        owner,
        wanted.number,
        wanted.since,
        wanted.until,
        wanted.outcomes,
        wanted.callers,
        wanted.withheld,
        after.began if after else None,
        after.call_id if after else None,
    )


async def with_legs(con: asyncpg.Connection, rows: Sequence[asyncpg.Record]) -> list[CallRecord]:
    legs: dict[UUID, list[LegRecord]] = defaultdict(list)
    for leg in await con.fetch(LEGS_OF, [row["call_id"] for row in rows]):
        legs[leg["call_id"]].append(as_leg(leg))
    return [as_record(row, tuple(legs[row["call_id"]])) for row in rows]
