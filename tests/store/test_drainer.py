"""The drainer and a real PostgreSQL that is stopped, cut off, set back: nothing is lost or doubled."""

import asyncio
import json
import os
import re
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from devkit.postgres import Running, start_postgres
from journal.codec import encode, kind_of
from journal.entries import Entry
from journal.follower import backlog
from journal.identity import identity
from journal.writer import Journal
from storage.calls import find
from storage.journal_position import position
from storage.records import CallRecord
from tests.lateness import PATIENCE
from tests.store.calls import answered_call, changed, lost_call, record_of
from tests.unit.journals import lay_out
from worker.drainer import Drainer

# The sessions of this database but the one that asks.
OTHERS = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
# Which transaction wrote each row: what was rewritten, though to the same, has another.
VERSIONS = "SELECT array_agg(xmin::text ORDER BY call_id) FROM call"
SMALL = 16384  # bytes of a segment: about ten calls


@asynccontextmanager
async def writing(folder: Path) -> AsyncIterator[Journal]:
    journal = await Journal.open(folder, "here", SMALL)
    try:
        yield journal
    finally:
        await journal.close()


async def write(folder: Path, calls: Iterable[list[Entry]]) -> None:
    async with writing(folder) as journal:
        for call in calls:
            for entry in call:
                journal.append(entry)
            await asyncio.sleep(0)


@asynccontextmanager
async def draining(folder: Path, database: str) -> AsyncIterator[Drainer]:
    drainer = Drainer(folder, "here", database, timedelta(hours=72))
    task = asyncio.create_task(drainer.run())
    try:
        yield drainer
    finally:
        drainer.stop()
        await asyncio.wait_for(task, PATIENCE)


async def until(is_so: Callable[[], Awaitable[bool]], what: str) -> None:
    """Wait until it is so."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if await is_so():
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"not in {PATIENCE:.0f} s: {what}")


async def drained(drainer: Drainer) -> None:
    async def is_drained() -> bool:
        return drainer.connected and drainer.backlog == 0

    await until(is_drained, "the journal is drained")


async def drain(folder: Path, database: str) -> None:
    async with draining(folder, database) as drainer:
        await drained(drainer)


async def kept(database: str) -> list[CallRecord]:
    con = await asyncpg.connect(database)
    try:
        return [record async for record in find(con)]
    finally:
        await con.close()


async def ask(database: str, query: str) -> Any:
    con = await asyncpg.connect(database)
    try:
        return await con.fetchval(query)
    finally:
        await con.close()


def records(numbers: Iterable[int]) -> list[CallRecord]:
    return [record_of(answered_call(n)) for n in numbers]


async def test_every_ended_call_becomes_its_record(tmp_path: Path, database: str) -> None:
    open_call = answered_call(100)[:-1]
    await write(tmp_path, [open_call, *(answered_call(n) for n in range(100))])
    await drain(tmp_path, database)
    assert await kept(database) == records(range(100))


async def test_draining_the_same_journal_ten_times_changes_nothing(tmp_path: Path, database: str) -> None:
    await write(tmp_path, [answered_call(n) for n in range(50)])
    await drain(tmp_path, database)
    once = await kept(database), await ask(database, VERSIONS)
    for _ in range(9):
        await ask(database, "DELETE FROM journal")
        await drain(tmp_path, database)
    assert (await kept(database), await ask(database, VERSIONS)) == once


async def test_how_far_it_has_come_is_in_the_database_too(tmp_path: Path, database: str) -> None:
    await write(tmp_path, [answered_call(n) for n in range(50)])
    await drain(tmp_path, database)
    con = await asyncpg.connect(database)
    reached, _ = await position(con, "here", identity(tmp_path) or "")
    await con.close()
    assert backlog(tmp_path, reached) == 0


async def test_records_follow_while_calls_go_on(tmp_path: Path, database: str) -> None:
    async with writing(tmp_path) as journal, draining(tmp_path, database) as drainer:
        for n in range(30):
            for entry in answered_call(n):
                await journal.append(entry)
            if n % 10 == 9:
                await drained(drainer)
                assert await kept(database) == records(range(n + 1))


async def test_a_call_that_was_lost_and_found_again_is_corrected(tmp_path: Path, database: str) -> None:
    await write(tmp_path, [lost_call(1)])
    await drain(tmp_path, database)
    assert [record.outcome for record in await kept(database)] == ["lost"]
    await write(tmp_path, [answered_call(1)])
    await drain(tmp_path, database)
    assert await kept(database) == records([1])


async def test_a_call_that_spans_engines_is_one_record(tmp_path: Path, database: str) -> None:
    *first, second, third = answered_call(1)
    for part in (first, [second], [third]):
        await write(tmp_path, [part])
        await drain(tmp_path, database)
    assert await kept(database) == records([1])


@pytest.mark.parametrize(
    "wrong",
    [
        {"call": "not a uuid"},
        {"owner": "a\0b"},
        {"owner": "\ud800"},
        {"caller": "+32470111222", "withheld": True},
    ],
)
async def test_a_call_that_cannot_be_a_row_is_set_aside_and_holds_up_nobody(
    tmp_path: Path, database: str, wrong: dict[str, Any]
) -> None:
    start, *entries = answered_call(5)
    start = changed(start, **wrong)
    bad = [start, *(changed(entry, call=start.call) for entry in entries)]
    await write(tmp_path, [*(answered_call(n) for n in range(5)), bad, *(answered_call(n) for n in (6, 7))])
    await drain(tmp_path, database)
    assert await kept(database) == records([0, 1, 2, 3, 4, 6, 7])
    assert await ask(database, "SELECT count(*) FROM dead_letter") == 1
    assert "leg_answer" in await ask(database, "SELECT entries FROM dead_letter")


@pytest.mark.parametrize("wrong", [b'"at":"yesterday"', b'"withheld":null', b'"kind":"teleported"'])
async def test_a_call_whose_beginning_cannot_be_read_is_set_aside_and_holds_up_nobody(
    tmp_path: Path, database: str, wrong: bytes
) -> None:
    start, *entries = map(encode, answered_call(1))
    name = wrong.partition(b":")[0]
    start = re.sub(name + rb':("[^"]*"|false)', wrong, start)
    lay_out(tmp_path, [*map(encode, answered_call(0)), start, *entries, *map(encode, answered_call(2))])
    await drain(tmp_path, database)
    assert await kept(database) == records([0, 2])
    assert await ask(database, "SELECT count(*) FROM dead_letter") == 1
    told = json.loads(await ask(database, "SELECT entries FROM dead_letter"))
    assert [entry["kind"] for entry in told][1:] == [kind_of(entry) for entry in answered_call(1)][
        -len(told) :
    ][1:]


async def test_an_entry_that_cannot_be_read_costs_itself_and_is_kept_aside(
    tmp_path: Path, database: str
) -> None:
    start, *entries = answered_call(1)
    newer = b'{"call":"%b","kind":"teleported","to":"Mars"}' % start.call.encode()
    lay_out(tmp_path, [encode(start), newer, *map(encode, entries)])
    await drain(tmp_path, database)
    assert await kept(database) == records([1])
    assert "Mars" in await ask(database, "SELECT entries FROM dead_letter")


async def test_a_database_set_back_to_yesterday_is_filled_again(tmp_path: Path, database: str) -> None:
    async def all_are_there() -> bool:
        return bool(await ask(database, "SELECT count(*) = 61 FROM call"))

    await write(tmp_path, [answered_call(n) for n in range(60)])
    async with draining(tmp_path, database) as drainer:
        await drained(drainer)
        await ask(database, "DELETE FROM call WHERE began > (SELECT min(began) FROM call)")
        await ask(database, "DELETE FROM journal")
        await ask(database, f"SELECT count(pg_terminate_backend(pid)) {OTHERS}")
        await write(tmp_path, [answered_call(60)])
        await until(all_are_there, "61 records")
    assert await kept(database) == records(range(61))


async def test_a_database_that_was_away_has_everything_when_it_is_back(
    tmp_path: Path, own_server: Running
) -> None:
    journal_dir = tmp_path / "journal"

    async def is_away() -> bool:
        return not drainer.connected

    async with writing(journal_dir) as journal, draining(journal_dir, own_server.url) as drainer:
        for entry in answered_call(0):
            await journal.append(entry)
        await drained(drainer)
        own_server.stop()
        await until(is_away, "the drainer has noticed")
        for n in range(1, 50):
            for entry in answered_call(n):
                await asyncio.wait_for(journal.append(entry), PATIENCE)
        assert drainer.backlog > 10_000
        again = await start_postgres(tmp_path / "postgres", tmp_path / "postgres.log", port=own_server.port)
        try:
            await drained(drainer)
            assert await kept(again.url) == records(range(50))
        finally:
            await asyncio.to_thread(again.stop)


async def test_a_connection_that_stands_still_is_left_for_a_new_one(
    tmp_path: Path, own_server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stopped process answers nothing and closes nothing: what a network that swallows everything does."""
    monkeypatch.setattr("worker.drainer.COMMAND_SECONDS", 0.5)
    journal_dir = tmp_path / "journal"
    async with draining(journal_dir, own_server.url) as drainer:
        await write(journal_dir, [answered_call(0)])
        await drained(drainer)
        backend = await ask(own_server.url, f"SELECT pid {OTHERS}")
        os.kill(backend, signal.SIGSTOP)
        try:
            await write(journal_dir, [answered_call(1)])
            await drained(drainer)
            assert await kept(own_server.url) == records([0, 1])
        finally:
            os.kill(backend, signal.SIGCONT)
