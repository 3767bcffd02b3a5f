"""A caller who is to be erased: their calls in a journal that is still written, and a scan of every file."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from devkit.postgres import Running, maintenance, start_postgres
from journal.entries import CallStarted, Entry
from journal.writer import Journal
from storage.erased_number import NumberKeys
from storage.key_wrapper import KeyWrapper, new_master_key
from storage.migrate import migrate
from tests.store.calls import answered_call
from tests.store.conftest import execute, numbers
from tests.store.conversations import record_talk, recorded_call
from tests.store.keeping import House, house_of
from tests.store.sounds import record, voicemail_call
from tests.store.worker_process import until

OTHER = "+32470111222"
SMALL = 16384  # bytes of a segment
TOTALS = """
SELECT owner, number, withheld, outcome, ended_by, count(*), count(answered), sum(ring_seconds),
    sum(talk_seconds)
FROM call GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
"""
IS_CERTIFIED = "SELECT count(*) FROM erasure_certificate"


@dataclass
class Forgetting:
    """A house with a journal, and what a worker is told of it. `caller`: nobody else's on this server."""

    house: House
    told: dict[str, str]
    journal: Journal
    keys: NumberKeys
    caller: str
    data: Path

    async def note(self, *calls: Sequence[Entry]) -> None:
        """As the engine does."""
        for entries in calls:
            *_, last = [self.journal.append(entry) for entry in entries]
            await last

    async def drained(self, count: int) -> None:
        async def is_so() -> bool:
            return bool(await self.house.con.fetchval("SELECT count(*) FROM call") == count)

        await until(is_so, f"{count} calls are drained", 60)

    async def sealed(self, count: int) -> None:
        async def is_so() -> bool:
            stored = "SELECT count(*) FROM audio WHERE state = 'stored'"
            return bool(await self.house.con.fetchval(stored) == count)

        await until(is_so, f"{count} are sealed", 60)

    async def certified(self, count: int = 1) -> None:
        """Until there are so many certificates; PostgreSQL's checkpoints come faster than in real life."""

        async def is_so() -> bool:
            await self.house.con.execute("CHECKPOINT")
            return bool(await self.house.con.fetchval(IS_CERTIFIED) >= count)

        await until(is_so, f"{count} certificates", 60)

    async def totals(self) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in await self.house.con.fetch(TOTALS)]

    async def hits(self) -> list[str]:
        """The files that have the number: of PostgreSQL, journal, objects, spool, log, temp."""
        digits = self.caller.removeprefix("+32").encode()
        return await asyncio.to_thread(files_with, [self.house.folder, self.data], digits)


def files_with(folders: Sequence[Path], digits: bytes) -> list[str]:
    """The files that have them, each as FOLDER/..."""
    files = [(path, folder) for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]
    assert len(files) > 500  # PostgreSQL's are among them
    return [str(path.relative_to(folder.parent)) for path, folder in files if has(path, digits)]


def has(path: Path, digits: bytes) -> bool:
    try:
        return digits in path.read_bytes()
    except FileNotFoundError:  # PostgreSQL or the worker has done with it
        return False


@dataclass(frozen=True)
class Searched:
    """A server for all tests of a file, whose files are searched: its data, its WAL, its log."""

    running: Running
    folder: Path


@contextmanager
def searched_server(folder: Path) -> Iterator[Searched]:
    running = asyncio.run(start_postgres(folder / "postgres", folder / "postgres.log"))
    yield Searched(running, folder)
    running.stop()


@asynccontextmanager
async def forgetting(server: Searched, folder: Path) -> AsyncIterator[Forgetting]:
    """In a database of its own."""
    name = f"test_{next(numbers)}"
    await execute(maintenance(server.running.url), f"CREATE DATABASE {name} TEMPLATE template0")
    async with opened(server.running.url.removesuffix("callengine") + name, folder, server.folder) as found:
        yield found
    await execute(maintenance(server.running.url), f"DROP DATABASE {name} WITH (FORCE)")


@asynccontextmanager
async def opened(url: str, folder: Path, data: Path) -> AsyncIterator[Forgetting]:
    key = new_master_key()
    (folder / "tmp").mkdir()
    told = {
        "CALLENGINE_NODE": "here",
        "CALLENGINE_STATE": str(folder),
        "CALLENGINE_DATABASE": url,
        "CALLENGINE_HTTP__WORKER_PORT": "0",
        "CALLENGINE_MASTER_KEY": key,
        "CALLENGINE_KEY_ROTATION_MINUTES": "0",
        "CALLENGINE_ASTERISK__RECORDINGS": str(folder / "spool"),
        "CALLENGINE_COUNTRY": "32",
        "TMPDIR": str(folder / "tmp"),
    }
    async with house_of(url, folder, key_wrapper=KeyWrapper(key)) as house:
        await migrate(house.con)
        journal = await Journal.open(folder / "journal", "here", SMALL)
        try:
            caller = f"+32470{9_000_00 + secrets.randbelow(100_000)}"
            yield Forgetting(house, told, journal, NumberKeys.of(key), caller, data)
        finally:
            await journal.close()


def calls_of(spool: Path, count: int, caller: str) -> list[list[Entry]]:
    """So many calls: 4 left a message, 3 were recorded, the others were answered."""
    calls = []
    for n in range(count):
        if n < 4:
            record(spool, n)
            calls.append(voicemail_call(n, caller=spelled(caller, n)))
        elif n < 7:
            record_talk(spool, n, 0.5)
            calls.append(recorded_call(n, days=36_500, caller=caller))
        else:
            calls.append(answered_call(n, caller=spelled(caller, n)))
    return calls


def spelled(caller: str, n: int) -> str:
    """As a trunk without a country code in its settings sends it, now and then."""
    return caller.removeprefix("+") if n % 5 == 3 else caller


def now_call(n: int, caller: str) -> list[Entry]:
    """An answered call that comes in now."""
    start, *rest = answered_call(n, caller=caller)
    assert isinstance(start, CallStarted)
    by = datetime.now(UTC) - start.at
    return [replace(entry, at=entry.at + by) for entry in (start, *rest) if entry.at is not None]
