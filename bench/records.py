"""What comes after the call: the journal's disk, the drainer, and asking for records among millions."""

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
from bench.waiting import Tell, until
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
ALONE = 300  # entries noted one after the other
BURST = 20_000
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
DRAINS = 3
FILL_SECONDS = 600.0
ASKED_SECONDS = 900.0


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


async def storage(folder: Path, calls: int, mails: int, sizes: Sequence[int], tell: Tell) -> dict[str, Any]:
    """With so many records there, none at first: drained calls a second, what a claim takes (ms), and seconds
    of `callengine calls`. And mails a second."""
    told: dict[str, Any] = {"drained": {}, "claims": {}, "asked": {}, "mailed": {}}
    async with logging_to(folder / "log"), database(folder) as url, connection(url) as con:
        await migrate(con)
        there = 0
        for size in (0, *sizes):
            if size:
                tell(f"records: {size:,} of them")
                if not await filled(url, there, size):
                    tell(f"{size:,} records are not measured: they are not there in {FILL_SECONDS:.0f} s")
                    break
                there = size
            told["claims"][str(size)] = await outbox.claims(con)
            told["drained"][str(size)] = await median_drained(folder / f"drain-{size}", url, calls)
            if size:
                told["asked"][str(size)] = await asked(url)
            if not size:
                told["mailed"] = await mailed(con, url, folder / "smtp", mails, tell)
    return told


async def filled(url: str, there: int, size: int) -> bool:
    """False when it takes too long; what is there then is anything."""
    try:
        async with asyncio.timeout(FILL_SECONDS):
            await fill(url, there, size)
    except TimeoutError:
        return False
    return True


async def mailed(con: asyncpg.Connection, url: str, folder: Path, mails: int, tell: Tell) -> dict[str, float]:
    """Mails a second: words alone, and with a sound to be made an MP3."""
    few, told = mails // 5, {}
    try:
        await outbox.mailed(con, url, folder, "missed", few)  # tables grow, plans are made
        told["words"] = await outbox.mailed(con, url, folder, "missed", mails)
        told["sound"] = await outbox.mailed(con, url, folder, "voicemail", few)
    except (outbox.Lost, TimeoutError) as trouble:
        tell(f"mails are not measured: {trouble or 'they take too long'}")
    return told


@asynccontextmanager
async def logging_to(file: Path) -> AsyncIterator[None]:
    """What is measured logs as it does in the worker."""
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
    """Of several times, after one that is not counted: tables grow, plans are made."""
    rates = [await drained(folder.with_name(f"{folder.name}-{n}"), url, calls) for n in range(DRAINS + 1)]
    return median(rates[1:])


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
    questions = {"one number's": number, "a day's (28,800)": day, "all": []}
    took = {what: await seconds_of(url, words) for what, words in questions.items()}
    return {what: seconds for what, seconds in took.items() if seconds is not None}


async def seconds_of(url: str, words: Sequence[str]) -> float | None:
    """None when it takes too long."""
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "cli", "calls", "--database", url, *words),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(ASKED_SECONDS):
            if await process.wait():
                raise RuntimeError("callengine calls has failed; what it said stands above")
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
