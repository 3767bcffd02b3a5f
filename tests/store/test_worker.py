"""`callengine work` as a process: killed at any time, told to stop, without a database."""

import asyncio
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from urllib.error import HTTPError
from urllib.request import urlopen

import asyncpg

from journal import fault
from journal.writer import Journal
from storage.calls import find
from storage.key_wrapper import new_master_key
from storage.records import CallRecord
from tests.lateness import PATIENCE
from tests.store.calls import answered_call, record_of

SMALL = 16384
COUNT = "SELECT count(*) FROM call"


@contextmanager
def working(state: Path, database: str, failpoint: str = "") -> Iterator[subprocess.Popen[bytes]]:
    settings = {
        "CALLENGINE_NODE": "here",
        "CALLENGINE_STATE": str(state),
        "CALLENGINE_DATABASE": database,
        "CALLENGINE_HTTP__WORKER_PORT": "0",
        "CALLENGINE_MASTER_KEY": new_master_key(),
        "CALLENGINE_ASTERISK__RECORDINGS": str(state),
    }
    command = [sys.executable, "-m", "cli", "work"]
    environment = os.environ | settings | ({fault.VARIABLE: failpoint} if failpoint else {})
    with (state / "log").open("ab") as log:
        worker = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        yield worker
    finally:
        if worker.poll() is None:
            worker.kill()
        worker.wait(5)


async def write(state: Path, numbers: range) -> None:
    journal = await Journal.open(state / "journal", "here", SMALL)
    for n in numbers:
        *_, last = [journal.append(entry) for entry in answered_call(n)]
        await last
    await journal.close()


async def kept(database: str) -> list[CallRecord]:
    con = await asyncpg.connect(database)
    try:
        return [record async for record in find(con)]
    finally:
        await con.close()


def wait_for_records(database: str, how_many: int) -> None:
    """Wait until there are as many. Raises TimeoutError."""
    asyncio.run(records_there(database, how_many))


async def records_there(database: str, how_many: int) -> None:
    con = await asyncpg.connect(database)
    try:
        async with asyncio.timeout(PATIENCE):
            while not await is_there(con, "call") or await con.fetchval(COUNT) < how_many:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    finally:
        await con.close()


async def is_there(con: asyncpg.Connection, table: str) -> bool:
    return await con.fetchval("SELECT to_regclass($1)", table) is not None


def wait_for(state: Path, words: str) -> None:
    """Wait until the worker's log says so."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if words in (state / "log").read_text():
            return
        time.sleep(0.05)
    raise AssertionError(f"the log does not say {words!r}: {(state / 'log').read_text()}")


def records(numbers: range) -> list[CallRecord | None]:
    return [record_of(answered_call(n)) for n in numbers]


def test_killed_at_any_time_while_calls_come_it_loses_and_doubles_nothing(
    tmp_path: Path, database: str
) -> None:
    random = Random(3)
    for round_ in range(6):
        with working(tmp_path, database):
            asyncio.run(write(tmp_path, range(round_ * 100, round_ * 100 + 100)))
            time.sleep(random.expovariate(4))  # a random moment
    with working(tmp_path, database):
        wait_for_records(database, 600)
    assert asyncio.run(kept(database)) == records(range(600))


def end_soon(worker: subprocess.Popen[bytes]) -> None:
    """Two seconds on an idle machine, and far fewer than the 90 that systemd waits for."""
    worker.terminate()
    assert worker.wait(PATIENCE) == 0


def test_told_to_stop_it_ends_soon(tmp_path: Path, database: str) -> None:
    asyncio.run(write(tmp_path, range(10)))
    with working(tmp_path, database) as worker:
        wait_for_records(database, 10)
        end_soon(worker)
    assert "worker_stopped" in (tmp_path / "log").read_text()


def test_without_a_database_it_waits_and_still_ends_soon(tmp_path: Path) -> None:
    with working(tmp_path, "postgresql://nobody:secret-word@127.0.0.1:1/nothing") as worker:
        wait_for(tmp_path, "database_connection_failed")
        end_soon(worker)
    assert "secret-word" not in (tmp_path / "log").read_text()


def asked(state: Path, path: str) -> tuple[int, str]:
    """What the worker answers by HTTP, at the address in its log."""
    wait_for(state, "worker_started")
    found = re.search(r"http://127\.0\.0\.1:[0-9]+", (state / "log").read_text())
    assert found
    try:
        with urlopen(found[0] + path, timeout=PATIENCE) as reply:  # noqa: S310 - a loopback address of our own
            return reply.status, reply.read().decode()
    except HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode()


def backlog(state: Path) -> float:
    told = re.search(r"^callengine_drain_backlog_bytes (\S+)", asked(state, "/metrics")[1], re.MULTILINE)
    assert told
    return float(told[1])


def wait_drained(state: Path) -> None:
    """Wait until the worker says that nothing waits."""
    deadline = time.monotonic() + PATIENCE
    while backlog(state) > 0:
        assert time.monotonic() < deadline


def test_ready_it_says_so_and_that_nothing_waits(tmp_path: Path, database: str) -> None:
    asyncio.run(write(tmp_path, range(10)))
    with working(tmp_path, database):
        wait_for_records(database, 10)
        assert asked(tmp_path, "/ready")[0] == 200
        wait_drained(tmp_path)  # the rows are there a moment before it knows


def test_without_a_database_it_is_not_ready_and_says_how_much_waits(tmp_path: Path) -> None:
    asyncio.run(write(tmp_path, range(10)))
    with working(tmp_path, "postgresql://nobody@127.0.0.1:1/nothing"):
        code, told = asked(tmp_path, "/ready")
        assert (code, "database is away" in told) == (503, True)
        assert backlog(tmp_path) > 10_000


def test_it_brings_a_bare_database_its_schema(tmp_path: Path, bare_database: str) -> None:
    asyncio.run(write(tmp_path, range(3)))
    with working(tmp_path, bare_database):
        wait_for(tmp_path, "migration_applied")
        wait_for_records(bare_database, 3)


def test_what_it_logs_holds_no_number(tmp_path: Path, database: str) -> None:
    asyncio.run(write(tmp_path, range(10)))
    with working(tmp_path, database):
        wait_for_records(database, 10)
        wait_for(tmp_path, "worker_started")
    log = (tmp_path / "log").read_text()
    assert [number for number in ("32470111222", "3221112233", "3221112244") if number in log] == []
