"""Anonymising: after a period that the owner chooses, numbers of calls lose their last digits.

Records stay, and so does every total. A call with a recording under a legal hold keeps its numbers until the
hold ends.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta

import asyncpg

from dialplan.address import is_address
from dialplan.anonymous import country_and_prefix
from journal.fault import point
from storage.access import this_process

BATCH = 500  # calls in a transaction

DUE = """
SELECT call_id, caller, delivered_to FROM call
WHERE owner = $1 AND began < now() - $2::interval AND anonymised_at IS NULL
    AND NOT EXISTS (SELECT FROM audio WHERE audio.call_id = call.call_id AND hold IS NOT NULL)
ORDER BY began LIMIT $3 FOR UPDATE OF call SKIP LOCKED
"""
LEGS = "SELECT call_id, place, destination FROM leg WHERE call_id = ANY($1)"
SHORTEN_CALLS = """
UPDATE call SET caller = shorter.caller, delivered_to = shorter.delivered_to, anonymised_at = now()
FROM unnest($1::uuid[], $2::text[], $3::text[]) AS shorter (call_id, caller, delivered_to)
WHERE call.call_id = shorter.call_id
"""
SHORTEN_LEGS = """
UPDATE leg SET destination = shorter.destination
FROM unnest($1::uuid[], $2::integer[], $3::text[]) AS shorter (call_id, place, destination)
WHERE leg.call_id = shorter.call_id AND leg.place = shorter.place
"""
SHORTEN_MESSAGES = """
UPDATE message SET caller = call.caller FROM call
WHERE message.call_id = call.call_id AND call.call_id = ANY($1) AND message.caller IS NOT NULL
"""
# A line a day for each owner, however many calls there were: the worker does it again and again.
TELL_OWNER = """
INSERT INTO access (what, operator, host, owner, detail)
SELECT 'anonymise', $1, $2, $3, 'calls older than ' || $4::bigint || ' days, by the worker'
WHERE NOT EXISTS (
    SELECT FROM access WHERE what = 'anonymise' AND owner = $3 AND at > now() - interval '1 day')
"""
COUNT = """
SELECT count(*) FROM call JOIN unnest($1::text[], $2::interval[]) AS owners (owner, period) USING (owner)
WHERE began < now() - period AND anonymised_at IS NULL
    AND NOT EXISTS (SELECT FROM audio WHERE audio.call_id = call.call_id AND hold IS NOT NULL)
"""


async def anonymise_next(con: asyncpg.Connection, owner: str, after: timedelta) -> int:
    """Anonymise the next calls of this owner that began longer ago; return how many. Not in a transaction."""
    point("anonymise.before_rows")
    async with con.transaction():
        rows = await con.fetch(DUE, owner, after, BATCH)
        call_ids = [row["call_id"] for row in rows]
        legs = await con.fetch(LEGS, call_ids)
        callers = [shorter(row["caller"]) for row in rows]
        await con.execute(SHORTEN_CALLS, call_ids, callers, [place_of(row["delivered_to"]) for row in rows])
        await con.execute(
            SHORTEN_LEGS,
            [leg["call_id"] for leg in legs],
            [leg["place"] for leg in legs],
            [country_and_prefix(leg["destination"]) for leg in legs],
        )
        await con.execute(SHORTEN_MESSAGES, call_ids)
        if rows:
            worker = this_process()
            await con.execute(TELL_OWNER, worker.operator, worker.host, owner, after.days)
        point("anonymise.before_commit")
    point("anonymise.after_rows")
    return len(rows)


async def due(con: asyncpg.Connection, periods: Mapping[str, timedelta]) -> int:
    """How many calls are to be anonymised now."""
    owners: Sequence[str] = list(periods)
    return int(await con.fetchval(COUNT, owners, list(periods.values())))


def shorter(number: str | None) -> str | None:
    return country_and_prefix(number) or None if number else None


def place_of(delivered_to: str | None) -> str | None:
    """A destination loses its last digits, or the user of its SIP address; `voicemail` is a word."""
    is_place = delivered_to is not None and (
        is_address(delivered_to) or delivered_to.removeprefix("+").isdecimal()
    )
    return shorter(delivered_to) if is_place else delivered_to
