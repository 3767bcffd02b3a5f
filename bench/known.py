"""What a system knows of the calls that failed: the engine's call records, or the plain dialplan's CDRs."""

import asyncio
import csv
import time
from collections.abc import Sequence

import asyncpg

from bench.calls import Failure, Load
from bench.failures import kinds_of
from bench.systems import System
from bench.waiting import POLL_SECONDS

FIRST = 20  # calls of a load that are described one by one
STORED_SECONDS = 3.0  # the worker stores a call within 0.1 s
CLOSE_SECONDS = 10.0  # from the caller's INVITE to Asterisk's channel
NO_RECORD = "no record"
RECORDS = """
SELECT caller, extract(epoch FROM call.began)::float8 AS began, call.outcome, ended_by, call.cause,
    extract(epoch FROM call.ended - call.began)::float8 AS seconds,
    leg.outcome AS leg, leg.sip, leg.cause AS leg_cause
FROM call LEFT JOIN leg USING (call_id)
WHERE caller = ANY($1) AND call.began >= to_timestamp($2::float8)
ORDER BY call.began, leg.place
"""


async def note(system: System, where: str, load: Load) -> None:
    """Keep the failures of this load in the system, with what it knows of the first of them."""
    if not load.failures:
        return
    first = load.failures[:FIRST]
    known = await known_of(system, first)
    system.failures.append(
        {
            "where": where,
            "placed": load.placed,
            "failed": len(load.failures),
            "kinds": kinds_of(load.failures),
            "retransmitted": dict(load.retransmitted),
            "calls": [described(failure, known.get(failure.caller, "")) for failure in first],
        }
    )


def described(failure: Failure, known: str) -> str:
    """A failed call in one line."""
    when = "" if failure.after is None else f" {failure.after:.3f} s after its INVITE"
    rang = "no INVITE"
    if failure.rang is not None:
        rang = f"INVITE after {1000 * failure.rang:.1f} ms"
    parts = [f"{failure.caller}: {failure.saw}{when}", f"destination: {rang}", known]
    return "; ".join(filter(None, parts))


async def known_of(system: System, failures: Sequence[Failure]) -> dict[str, str]:
    """By the caller's number: what the system's own record of the call says, or that there is none."""
    placed = [failure for failure in failures if failure.began is not None]
    if system.database is not None:
        return await from_records(system.database, placed)
    return from_cdrs(system, placed)


async def from_records(database: str, failures: Sequence[Failure]) -> dict[str, str]:
    """Wait until each call has a record, at most 3 s: a call that Asterisk refused has none."""
    callers = [failure.caller for failure in failures]
    since = min((failure.began or 0.0 for failure in failures), default=0.0) - 1
    deadline = time.monotonic() + STORED_SECONDS
    connection = await asyncpg.connect(database)
    try:
        while True:
            rows = await connection.fetch(RECORDS, callers, since)
            known = {failure.caller: of_record(failure, rows) for failure in failures}
            if NO_RECORD not in known.values() or time.monotonic() > deadline:
                return known
            await asyncio.sleep(POLL_SECONDS)
    finally:
        await connection.close()


def of_record(failure: Failure, rows: Sequence[asyncpg.Record]) -> str:
    """The record of that call; a caller's number comes again in each load, so the time counts too."""
    for row in rows:
        if row["caller"] == failure.caller and abs(row["began"] - (failure.began or 0)) < CLOSE_SECONDS:
            return record_in_words(row)
    return NO_RECORD


def record_in_words(row: asyncpg.Record) -> str:
    text = f"record: {row['outcome']} after {row['seconds']:.3f} s, ended by {row['ended_by']}"
    text += "" if row["cause"] is None else f", cause {row['cause']}"
    if row["leg"] is None:
        return f"{text}; no leg"
    causes = [f"{name} {row[key]}" for name, key in (("SIP", "sip"), ("cause", "leg_cause")) if row[key]]
    return "; ".join([text, ", ".join([f"leg {row['leg']}", *causes])])


def from_cdrs(system: System, failures: Sequence[Failure]) -> dict[str, str]:
    """The disposition of each caller's last CDR (bench/plain.py)."""
    file = system.state / "log" / "cdr-custom" / "Master.csv"
    if not file.exists():
        return {}
    with file.open(newline="", encoding="utf-8", errors="replace") as opened:
        last = {row[0]: row[5] for row in csv.reader(opened) if len(row) > 5}
    return {
        failure.caller: f"CDR: {last[failure.caller]}" if failure.caller in last else "no CDR"
        for failure in failures
    }
