"""What comes after the call: the journal's disk, the drainer, and asking for records among millions."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg

from bench.calls import quantile
from bench.waiting import until
from engine.dev.postgres import start_postgres
from engine.drainer import Drainer
from engine.ids import new_call_id
from engine.journal.writer import Journal
from storage.migrate import migrate
from storage.records import Entry

NODE = "bench"
ALONE = 300  # entries noted one after the other
BURST = 20_000
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
NUMBERS = 10_000

FILL_CALLS = """
INSERT INTO call (call_id, number, owner, caller, withheld, began, answered, ended, ring_seconds,
    talk_seconds, delivered_to, outcome, ended_by, cause, node, rev)
SELECT md5('call' || i)::uuid, '+3290' || lpad((i % $3)::text, 7, '0'), 'bench', '+32471234567', false,
    at, at + interval '8 s', at + interval '98 s', 8, 90, '+32470000001', 'answered', 'caller', 16, 'past', i
FROM generate_series($1::bigint, $2::bigint - 1) AS i,
    LATERAL (SELECT timestamptz '2025-01-01 00:00Z' + i * interval '3 s' AS at) AS moment
"""
FILL_LEGS = """
INSERT INTO leg (call_id, place, leg_id, destination, began, ringing, answered, ended, outcome, cause)
SELECT call_id, 1, call_id::text || '-b1', delivered_to, began, began + interval '1 s', answered, ended,
    'taken', 16
FROM call WHERE node = 'past' AND rev >= $1::bigint AND rev < $2::bigint
"""


async def journal(folder: Path) -> dict[str, float]:
    """One entry after the other, each waited for (ms), and a burst (entries a second)."""
    book = await Journal.open(folder / "journal", NODE)
    try:
        alone = [await noted(book, entry) for entry in a_call() * (ALONE // len(a_call()))]
        began = time.perf_counter()
        entries = a_call()
        last = None
        for index in range(BURST):
            last = book.note(entries[index % len(entries)])
        if last is not None:
            await last
        burst = BURST / (time.perf_counter() - began)
    finally:
        await book.close()
    return {"durable_p50": quantile(alone, 0.5), "durable_p99": quantile(alone, 0.99), "burst": burst}


async def noted(book: Journal, entry: Entry) -> float:
    began = time.perf_counter()
    await book.note(entry)
    return (time.perf_counter() - began) * 1000


async def storage(folder: Path, calls: int, sizes: Sequence[int]) -> dict[str, Any]:
    """Drained calls a second, and seconds of `callengine calls`, with so many records there already."""
    told: dict[str, Any] = {"drained": {}, "asked": {}}
    async with database(folder) as url:
        con = await asyncpg.connect(url, command_timeout=600)
        try:
            await migrate(con)
            await drained(folder / "drain-first", url, calls)  # tables grow, plans are made
            told["drained"]["0"] = await drained(folder / "drain-0", url, calls)
            there = 0
            for size in sizes:
                await fill(con, there, size)
                there = size
                told["drained"][str(size)] = await drained(folder / f"drain-{size}", url, calls)
                told["asked"][str(size)] = await asked(url)
        finally:
            await con.close()
    return told


@asynccontextmanager
async def database(folder: Path) -> AsyncIterator[str]:
    running = await start_postgres(folder / "postgres", folder / "postgres.log")
    try:
        yield running.url
    finally:
        running.stop()


async def fill(con: asyncpg.Connection, there: int, size: int) -> None:
    """Records of the past, one every three seconds, an answered call with one leg each."""
    for start in range(there, size, 200_000):
        until = min(start + 200_000, size)
        await con.execute(FILL_CALLS, start, until, NUMBERS)
        await con.execute(FILL_LEGS, start, until)
    await con.execute("ANALYZE call, leg")


async def drained(folder: Path, url: str, calls: int) -> float:
    """Calls a second from a journal into the database, by a drainer that finds them all written."""
    node = folder.name
    book = await Journal.open(folder / "journal", node)
    try:
        for _ in range(calls):
            for entry in a_call():
                last = book.note(entry)
        await last
    finally:
        await book.close()
    drainer = Drainer(folder / "journal", node, url, timedelta(hours=1))
    began = time.perf_counter()
    running = asyncio.create_task(drainer.run())
    try:
        await until(lambda: drainer.connected and not drainer.backlog, seconds=300)
    finally:
        took = time.perf_counter() - began
        drainer.stop()
        await running
    return calls / took


async def asked(url: str) -> Mapping[str, float]:
    """Seconds of the whole command: one number's calls, a day of everything, and all there is."""
    number = ["--number", "+32900000007"]
    day = ["--since", "2025-01-03T00:00Z", "--until", "2025-01-04T00:00Z"]
    return {
        "one number's": await seconds_of(url, number),
        "a day's (28,800)": await seconds_of(url, day),
    }


async def seconds_of(url: str, words: Sequence[str]) -> float:
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "engine", "calls", "--database", url, *words),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
    )
    async with asyncio.timeout(300):
        if await process.wait():
            raise RuntimeError("callengine calls has failed; what it said stands above")
    return time.perf_counter() - began


def a_call() -> list[Entry]:
    """The entries of an answered call."""
    call_id = new_call_id()

    def entry(kind: str, after: float, **facts: Any) -> Entry:
        at = (BEGAN + timedelta(seconds=after)).isoformat()
        return {"call": call_id, "kind": kind, "at": at, **facts}

    leg = f"{call_id}-b1"
    return [
        entry("call_start", 0, number="+32800000001", owner="bench", caller="+32471234567", withheld=False,
              node=NODE, channel="bench-1.1"),
        entry("leg_start", 0.003, leg=leg, to="+32470000001"),
        entry("leg_ringing", 0.004, leg=leg),
        entry("leg_answer", 8, leg=leg),
        entry("answered", 8, to="+32470000001"),
        entry("leg_end", 98, leg=leg, outcome="done", cause=16),
        {"call": call_id, "kind": "step", "step": "ring", "outcome": "taken"},
        entry("call_end", 98, outcome="answered", ended_by="caller", cause=16),
    ]  # fmt: skip
