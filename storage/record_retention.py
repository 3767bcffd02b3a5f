"""Retention of call records: older ones are destroyed, with their legs, their message's row and its mails.

A record outlives all audio of its call, so also a legal hold, and every mail about it that is not settled.
What stays is the evidence without numbers: tombstones, the rows of destroyed audio, and accesses.
"""

from collections import Counter
from datetime import timedelta

import asyncpg

from journal.fault import point
from storage.access import this_process

BATCH = 500  # records in a transaction

# Of owners whom this database knows, also of those that are in no file any more.
# $1: how long records of owners without a period are kept; NULL: for ever. $2: how many.
DUE = """
SELECT call_id, owner, coalesce(own, $1) AS period
FROM (SELECT owner, interval '1 second' * max(records_seconds) AS own FROM retention GROUP BY owner) AS known
CROSS JOIN LATERAL (
    SELECT call_id FROM call
    WHERE call.owner = known.owner AND call.began < now() - coalesce(own, $1::interval)
        AND NOT EXISTS (SELECT FROM audio WHERE audio.call_id = call.call_id AND state <> 'destroyed')
        AND NOT EXISTS (
            SELECT FROM message JOIN outbox USING (message_id)
            WHERE message.call_id = call.call_id AND accepted_at IS NULL AND refused_at IS NULL)
    ORDER BY call.began LIMIT $2) AS old
LIMIT $2
"""
COUNT = """
SELECT count(*)
FROM (SELECT owner, interval '1 second' * max(records_seconds) AS own FROM retention GROUP BY owner) AS known
JOIN call ON call.owner = known.owner AND call.began < now() - coalesce(own, $1::interval)
WHERE NOT EXISTS (SELECT FROM audio WHERE audio.call_id = call.call_id AND state <> 'destroyed')
    AND NOT EXISTS (
        SELECT FROM message JOIN outbox USING (message_id)
        WHERE message.call_id = call.call_id AND accepted_at IS NULL AND refused_at IS NULL)
"""
DESTROY = "SELECT destroy_records($1)"
# A line a day for each owner, however many records there were: the worker does it again and again.
TELL_OWNER = """
INSERT INTO access (what, operator, host, owner, detail)
SELECT 'destroy', $1, $2, $3, 'call records older than ' || $4::bigint || ' days, by the worker'
WHERE NOT EXISTS (
    SELECT FROM access WHERE what = 'destroy' AND audio_id IS NULL AND owner = $3
        AND at > now() - interval '1 day')
"""


async def destroy_next(con: asyncpg.Connection, usual: timedelta | None) -> Counter[str]:
    """Destroy the next records whose time is over; return how many of each owner. Not in a transaction.

    `usual`: how long records of owners are kept who have no period of their own; None: for ever.
    """
    point("records.before_rows")
    async with con.transaction():
        rows = await con.fetch(DUE, usual, BATCH)
        await con.fetchval(DESTROY, [row["call_id"] for row in rows])
        worker = this_process()
        for owner, period in {row["owner"]: row["period"] for row in rows}.items():
            await con.execute(TELL_OWNER, worker.operator, worker.host, owner, period.days)
        point("records.before_commit")
    point("records.after_rows")
    return Counter(row["owner"] for row in rows)


async def due(con: asyncpg.Connection, usual: timedelta | None) -> int:
    """How many records are to be destroyed now."""
    return int(await con.fetchval(COUNT, usual))
