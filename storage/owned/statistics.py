"""How an owner's calls went: counts by outcome, by hour of the day and by day of the week."""

from dataclasses import dataclass, field
from datetime import datetime

import asyncpg

# `began` is in the index with the rest, so the table is not read.
COUNT = """
SELECT outcome, extract(isodow FROM local)::int AS weekday, extract(hour FROM local)::int AS hour,
    count(*) AS calls, sum(ring_seconds)::float8 AS ring_seconds
FROM (
    SELECT outcome, ring_seconds, began AT TIME ZONE $4 AS local FROM call
    WHERE owner = $1 AND began >= $2 AND began < $3
) AS dated
GROUP BY 1, 2, 3
"""

UNDELIVERED = """
SELECT count(*) FROM message
WHERE owner = $1 AND began > now() - interval '30 days' AND state IN ('bounced', 'undeliverable')
"""
# Not reachable the last time that it was tried.
UNREACHABLE = """
SELECT destination FROM (
    SELECT DISTINCT ON (destination) destination, leg.outcome
    FROM leg JOIN call USING (call_id)
    WHERE owner = $1 AND call.began > now() - interval '1 hour'
    ORDER BY destination, leg.began DESC
) AS latest
WHERE outcome IN ('unreachable', 'failed') ORDER BY 1 LIMIT 20
"""

DAYS = (1, 2, 3, 4, 5, 6, 7)  # ISO: Monday is 1


@dataclass(slots=True)
class Statistics:
    """Calls by outcome; by hour and outcome; by weekday (1 is Monday) and outcome. `ring_seconds`: the mean
    time until an answered call was answered, None without one."""

    outcomes: dict[str, int] = field(default_factory=dict)
    hours: dict[tuple[int, str], int] = field(default_factory=dict)
    weekdays: dict[tuple[int, str], int] = field(default_factory=dict)
    ring_seconds: float | None = None

    @property
    def total(self) -> int:
        return sum(self.outcomes.values())


async def count(
    con: asyncpg.Connection, owner: str, since: datetime, until: datetime, zone: str
) -> Statistics:
    """Count the calls that began in this time. `zone`: of hours and weekdays, a name as in tzdata."""
    found = Statistics()
    ringing = 0.0
    for row in await con.fetch(COUNT, owner, since, until, zone):
        outcome, calls = row["outcome"], row["calls"]
        found.outcomes[outcome] = found.outcomes.get(outcome, 0) + calls
        hour, weekday = (row["hour"], outcome), (row["weekday"], outcome)
        found.hours[hour] = found.hours.get(hour, 0) + calls
        found.weekdays[weekday] = found.weekdays.get(weekday, 0) + calls
        ringing += row["ring_seconds"] if outcome == "answered" else 0
    if answered := found.outcomes.get("answered"):
        found.ring_seconds = ringing / answered
    return found


@dataclass(frozen=True, slots=True)
class Troubles:
    """What is wrong now: messages that reached nobody, and destinations that were not reachable."""

    undelivered: int
    unreachable: tuple[str, ...]


async def troubles(con: asyncpg.Connection, owner: str) -> Troubles:
    """Messages of the last 30 days that nobody accepts; destinations not reachable in the last hour."""
    undelivered = await con.fetchval(UNDELIVERED, owner)
    rows = await con.fetch(UNREACHABLE, owner)
    return Troubles(undelivered, tuple(row["destination"] for row in rows))
