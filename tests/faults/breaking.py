"""Faults: each is a context manager that breaks something of a field, and makes it whole again at its end.

It notes in the field what was away, from when until when: the oracle's promises depend on it.
"""

import asyncio
import gzip
import os
import shutil
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from itertools import count
from pathlib import Path

import pytest

from devkit.parts import Part, ended
from journal.fault import VARIABLE
from tests.faults.field import Field
from tests.faults.observe import database
from tests.faults.proxy import Proxy
from tests.live.small_disk import filled, read_only
from tests.store.smtp import Ways

ENDS = 10.0  # s
BETWEEN_ROTATIONS = 0.4  # s
SLOW = 1.5  # s by which each answer of a slow object store is late
ROTATIONS = count(901)  # a file of an earlier rotation is not replaced: the oracle reads it
LOST_SECONDS = 1.0  # of a database that fails over
AUDIO = "SELECT audio_id, state FROM audio"


# Processes.


@asynccontextmanager
async def killed(field: Field, name: str) -> AsyncIterator[None]:
    """kill -9. It is started again at the end of the block."""
    with field.absence(name, "killed"):
        await finish(field.part(name), signal.SIGKILL)
        yield
        await field.part(name).start()


@asynccontextmanager
async def stopped(field: Field, name: str) -> AsyncIterator[None]:
    """SIGTERM, which of PostgreSQL is a fast shutdown."""
    with field.absence(name, "stopped"):
        await finish(field.part(name), signal.SIGINT if name == "postgres" else signal.SIGTERM)
        yield
        await field.part(name).start()


@asynccontextmanager
async def frozen(field: Field, name: str) -> AsyncIterator[None]:
    """SIGSTOP of the part and its children, then SIGCONT."""
    process = field.part(name).process
    assert process is not None
    pids = [process.pid, *children(process.pid)]
    with field.absence(name, "frozen"):
        send(pids, signal.SIGSTOP)
        yield
        send(pids, signal.SIGCONT)


async def finish(part: Part, how: signal.Signals) -> None:
    assert part.process is not None
    part.process.send_signal(how)
    async with asyncio.timeout(ENDS):
        await ended(part.process)


def children(pid: int) -> list[int]:
    """The processes that this one has started."""
    with suppress(FileNotFoundError):
        return [int(it) for it in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def send(pids: list[int], what: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, what)


@asynccontextmanager
async def failing(field: Field, name: str, failpoint: str) -> AsyncIterator[None]:
    """In place of the part, one in which this failpoint breaks."""
    part, environment = field.part(name), pytest.MonkeyPatch()
    environment.setenv(VARIABLE, failpoint)
    try:
        with field.absence(name, "stopped"):
            await finish(part, signal.SIGTERM)
            await part.start()
        yield
    finally:
        environment.undo()
        with field.absence(name, "stopped"):
            if part.process is not None and part.process.poll() is None:
                await finish(part, signal.SIGTERM)
            await part.start()


# Ways.


WAYS = {"postgres": "to_database", "objects": "to_store", "mail": "to_mail"}


@asynccontextmanager
async def refused(field: Field, name: str) -> AsyncIterator[None]:
    """Every connection to that server is reset."""
    way: Proxy = getattr(field, WAYS[name])
    with field.absence(name, "away"):
        way.refuse()
        yield
        way.heal()


@asynccontextmanager
async def swallowed(field: Field, name: str) -> AsyncIterator[None]:
    """Nothing comes through any more, and nothing is reset: a black hole."""
    way: Proxy = getattr(field, WAYS[name])
    with field.absence(name, "black hole"):
        way.swallow()
        yield
        way.heal()


@asynccontextmanager
async def store_slow(field: Field) -> AsyncIterator[None]:
    with field.absence("objects", "slow"):
        field.to_store.slow = SLOW
        yield
        field.to_store.heal()


@asynccontextmanager
async def store_lies(field: Field) -> AsyncIterator[None]:
    """What is fetched from the object store differs by a bit from what is stored."""
    with field.absence("objects", "wrong bytes"):
        field.to_store.lies = True
        yield
        field.to_store.heal()


@asynccontextmanager
async def failed_over(field: Field) -> AsyncIterator[None]:
    """Another PostgreSQL takes over, to which the last second did not come.

    The keys of what was sealed in that second are lost, and its files are removed already; the objects of
    what was destroyed in it are gone, and it is stored again. That needs synchronous replication
    (docs/operating.md). All other audio, calls and mails must be complete all the same.
    """
    files, aside = field.folder / "apart" / "postgres", field.folder / "standby"
    postgres = field.part("postgres")
    with field.absence("postgres", "stopped"):
        await finish(postgres, signal.SIGINT)
        await asyncio.to_thread(shutil.copytree, files, aside)
        await postgres.start()
    with field.absence("postgres", "failed over"):
        await asyncio.sleep(LOST_SECONDS)  # the fault itself: what is stored meanwhile, the other has not got
        before = await audio_states(field)
        await finish(postgres, signal.SIGKILL)
        await asyncio.to_thread(shutil.rmtree, files)
        aside.rename(files)
        await postgres.start()
    field.damage.lost += dict(before - await audio_states(field))
    yield


async def audio_states(field: Field) -> set[tuple[str, str]]:
    async with database(field) as con:
        return {(row["audio_id"], row["state"]) for row in await con.fetch(AUDIO)}


@asynccontextmanager
async def mail_does(field: Field, how: str, ways: Ways) -> AsyncIterator[None]:
    """The mail server behaves so towards every connection that is made while the block runs.

    A connection in which it was silent ends with the block: SMTP's own timeouts are longer than any run.
    """
    with field.absence("mail", how):
        before, field.mail.ways = field.mail.ways, ways
        yield
        field.mail.ways = before
        field.mail.tired.set()
        field.mail.tired = asyncio.Event()


# Disks.


@asynccontextmanager
async def disk_slow(field: Field) -> AsyncIterator[None]:
    """Each fdatasync of the journal takes a second."""
    with field.absence("disk", "slow"):
        async with failing(field, "engine", "journal.before_sync:1+:sleep=1"):
            yield


@asynccontextmanager
async def disk_full(field: Field) -> AsyncIterator[None]:
    assert field.disk is not None
    with field.absence("disk", "full"), filled(field.disk):
        yield


@asynccontextmanager
async def disk_read_only(field: Field) -> AsyncIterator[None]:
    """An engine that is started while its state cannot be written; open files of the one before could be."""
    state = field.house.state
    engine = field.part("engine")
    with read_only(state / "journal", state / "routing-versions", state / "prompts"):
        with field.absence("engine", "stopped"):
            await finish(engine, signal.SIGTERM)
            await engine.start()
        yield
        # What is in memory is written as soon as that is possible; so the block ends before the engine does.


# Observers.


@asynccontextmanager
async def log_unread(field: Field) -> AsyncIterator[None]:
    """An engine whose log is a pipe that nobody reads."""
    log, engine = field.house.engine.log, field.part("engine")
    aside = log.with_suffix(".aside")
    with field.absence("engine", "stopped"):
        await finish(engine, signal.SIGTERM)
        log.rename(aside)
        os.mkfifo(log)
        reader = os.open(log, os.O_RDONLY | os.O_NONBLOCK)
        fill(log)
        await engine.start()
    yield
    with field.absence("engine", "stopped"):
        await finish(engine, signal.SIGTERM)
        os.close(reader)
        log.unlink()
        aside.rename(log)
        await engine.start()


def fill(pipe: Path) -> None:
    writer = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
    with suppress(BlockingIOError):
        while True:
            os.write(writer, bytes(4096))
    os.close(writer)


# The ways in which others rotate CEL's file; Asterisk makes it anew.


def by_rename(cel: Path, n: int) -> None:
    cel.rename(cel.with_name(f"{cel.name}.{n}"))


def by_rename_and_gzip(cel: Path, n: int) -> None:
    rotated = cel.with_name(f"{cel.name}.{n}")
    cel.rename(rotated)
    draft = cel.with_name(f".{cel.name}.{n}.gz")
    draft.write_bytes(gzip.compress(rotated.read_bytes()))
    draft.rename(rotated.with_suffix(f".{n}.gz"))
    rotated.unlink()


def by_date(cel: Path, n: int) -> None:
    cel.rename(cel.with_name(f"{cel.name}-2026112{n % 10}-{n}"))


def by_copy(cel: Path, n: int) -> None:
    """copytruncate. Lines between copy and cut are lost to everybody who has not read them yet."""
    shutil.copy2(cel, cel.with_name(f"{cel.name}.{n}"))
    os.truncate(cel, 0)


@asynccontextmanager
async def cel_rotated(field: Field, rotate: Callable[[Path, int], None]) -> AsyncIterator[None]:
    async def again_and_again() -> None:
        while True:
            with suppress(FileNotFoundError):
                await asyncio.to_thread(rotate, field.house.endpoint.cel, next(ROTATIONS))
            await asyncio.sleep(BETWEEN_ROTATIONS)  # the fault itself: so often others rotate it

    rotating = asyncio.create_task(again_and_again())
    with field.absence("cel", rotate.__name__.removeprefix("by_").replace("_", " ")):
        yield
        rotating.cancel()
        await asyncio.wait({rotating})
