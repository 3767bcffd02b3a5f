"""Work after the call: journal and disk, drainer, and queries among millions of records."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from secrets import token_hex
from statistics import median
from typing import Any

import asyncpg
import structlog

from bench import outbox
from bench.calls import quantile
from bench.past import fill
from bench.waiting import Report, until
from devkit.postgres import start_postgres
from dialplan.result import Outcome, Result
from journal.entries import (
    Answered,
    CallEnded,
    CallStarted,
    Entry,
    HandedOver,
    LegAnswered,
    LegConnected,
    LegEnded,
    LegRang,
    LegStarted,
    StepPerformed,
)
from journal.ids import call_id_of, leg_id_of
from journal.writer import Journal
from process.log import log_by
from process.log_writer import LogWriter
from storage.migrate import migrate
from worker.drainer import Drainer

NODE = "bench"
ALONE = 300  # entries appended one after the other
BURST = 20_000
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
DRAINS = 3
FILL_SECONDS = 600.0
ASKED_SECONDS = 900.0


async def journal(folder: Path) -> dict[str, float]:
    """Sequential entries, each awaited (ms), and a burst (entries a second)."""
    opened = await Journal.open(folder / "journal", NODE)
    try:
        alone = [await durable_after(opened, entry) for entry in a_call() * (ALONE // len(a_call()))]
        began = time.perf_counter()
        entries = a_call()
        last = None
        for index in range(BURST):
            last = opened.append(entries[index % len(entries)])
        if last is not None:
            await last
        burst = BURST / (time.perf_counter() - began)
    finally:
        await opened.close()
    return {"durable_p50": quantile(alone, 0.5), "durable_p99": quantile(alone, 0.99), "burst": burst}


async def durable_after(opened: Journal, entry: Entry) -> float:
    began = time.perf_counter()
    await opened.append(entry)
    return (time.perf_counter() - began) * 1000


async def storage(
    folder: Path, calls: int, mails: int, sizes: Sequence[int], report: Report
) -> dict[str, Any]:
    """For each number of records, none at first: drained calls a second, ms of a claim, seconds of
    `callengine calls`; and mails a second."""
    figures: dict[str, Any] = {"drained": {}, "claims": {}, "asked": {}, "mailed": {}}
    async with logging_to(folder / "log"), database(folder) as url, connection(url) as con:
        await migrate(con)
        there = 0
        for size in (0, *sizes):
            if size:
                report(f"records: {size:,} of them")
                if not await filled(url, there, size):
                    report(f"{size:,} records are not measured: filling takes more than {FILL_SECONDS:.0f} s")
                    break
                there = size
            figures["claims"][str(size)] = await outbox.claims(con)
            figures["drained"][str(size)] = await median_drained(folder / f"drain-{size}", url, calls)
            if size:
                figures["asked"][str(size)] = await asked(url)
            if not size:
                figures["mailed"] = await mailed(con, url, folder / "smtp", mails, report)
    return figures


async def filled(url: str, there: int, size: int) -> bool:
    """Return False if it takes too long; the database is then in an unknown state."""
    try:
        async with asyncio.timeout(FILL_SECONDS):
            await fill(url, there, size)
    except TimeoutError:
        return False
    return True


async def mailed(
    con: asyncpg.Connection, url: str, folder: Path, mails: int, report: Report
) -> dict[str, float]:
    """Mails a second: text only, and with audio to encode as MP3."""
    few, rates = mails // 5, {}
    try:
        await outbox.mailed(con, url, folder, "missed", few)  # tables grow, plans are made
        rates["words"] = await outbox.mailed(con, url, folder, "missed", mails)
        rates["sound"] = await outbox.mailed(con, url, folder, "voicemail", few)
    except (outbox.Lost, TimeoutError) as error:
        report(f"mails are not measured: {str(error) or 'they take too long'}")
    return rates


@asynccontextmanager
async def logging_to(file: Path) -> AsyncIterator[None]:
    """Log as the worker does."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb", buffering=0) as stream:
        writer = LogWriter(partial(os.write, stream.fileno()))
        log_by(writer)
        yield
        writer.flush()
    structlog.reset_defaults()


@asynccontextmanager
async def database(folder: Path) -> AsyncIterator[str]:
    running = await start_postgres(folder / "postgres", folder / "postgres.log")
    try:
        yield running.url
    finally:
        running.stop()


@asynccontextmanager
async def connection(url: str) -> AsyncIterator[asyncpg.Connection]:
    con = await asyncpg.connect(url, command_timeout=600)
    try:
        yield con
    finally:
        await con.close()


async def median_drained(folder: Path, url: str, calls: int) -> float:
    """The median of several runs, after one that does not count: tables grow, plans are cached."""
    rates = [await drained(folder.with_name(f"{folder.name}-{n}"), url, calls) for n in range(DRAINS + 1)]
    return median(rates[1:])


async def drained(folder: Path, url: str, calls: int) -> float:
    """Calls a second from a complete journal into the database."""
    node = folder.name
    opened = await Journal.open(folder / "journal", node)
    try:
        for _ in range(calls):
            for entry in a_call():
                last = opened.append(entry)
        await last
    finally:
        await opened.close()
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
    """Seconds of the whole command: the calls of one number, of one day, and all."""
    number = ["--number", "+32900000007"]
    day = ["--since", "2025-01-03T00:00Z", "--until", "2025-01-04T00:00Z"]
    questions = {"one number's": number, "a day's (28,800)": day, "all": []}
    took = {what: await seconds_of(url, words) for what, words in questions.items()}
    return {what: seconds for what, seconds in took.items() if seconds is not None}


async def seconds_of(url: str, words: Sequence[str]) -> float | None:
    """The seconds of the command; None if it takes too long."""
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "cli", "calls", "--database", url, *words),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(ASKED_SECONDS):
            if await process.wait():
                raise RuntimeError("callengine calls has failed; see its output above")
    except TimeoutError:
        process.kill()
        await process.wait()
        return None
    return time.perf_counter() - began


def a_call() -> list[Entry]:
    """The entries of an answered call."""
    call = call_id_of(token_hex(8), "bench")
    leg = leg_id_of(call, "bench-1.1")

    def at(seconds: float) -> datetime:
        return BEGAN + timedelta(seconds=seconds)

    return [
        CallStarted(call, at(0), "+32800000001", "bench", False, NODE, "bench-1.1", "+32471234567"),
        HandedOver(call, at(0.002), ("+32470000001",), 20),
        LegStarted(call, at(0.003), leg, "+32470000001"),
        LegRang(call, at(0.004), leg),
        LegAnswered(call, at(8), leg),
        LegConnected(call, at(8.001), leg),
        Answered(call, at(8.001)),
        LegEnded(call, at(98), leg, Outcome.TAKEN, 16, 200),
        StepPerformed(call, "ring", Outcome.TAKEN, (0,), at(98)),
        CallEnded(call, at(98), Result.ANSWERED, "caller", 16),
    ]
