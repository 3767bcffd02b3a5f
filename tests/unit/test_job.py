"""The worker's jobs: repeated until cancelled, and never ended in silence."""

import asyncio
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import cast

import asyncpg
import pytest
from structlog.testing import capture_logs

from storage.away import LONGEST_PAUSE_SECONDS
from worker.job import Job, keep_running

pytestmark = pytest.mark.looptime


class Fragile:
    """Work that dies the first time."""

    name = "mark"

    def __init__(self) -> None:
        self.runs = 0

    def wake(self) -> None: ...

    async def run(self, pool: asyncpg.Pool) -> None:
        self.runs += 1
        if self.runs == 1:
            raise ValueError("a file that nobody has thought of")
        await asyncio.get_running_loop().create_future()


async def test_work_that_dies_is_logged_and_begins_again() -> None:
    work = Fragile()
    with capture_logs() as told:
        doing = asyncio.create_task(keep_running(work, cast("asyncpg.Pool", None)))
        await asyncio.sleep(LONGEST_PAUSE_SECONDS + 1)
        doing.cancel()
        await asyncio.wait({doing})
    assert work.runs == 2
    assert [(line["event"], line["job"]) for line in told] == [("job_died", "mark")]


class Pool:
    """It has a connection for everybody."""

    def acquire(self, timeout: float) -> AbstractAsyncContextManager[None]:
        return nullcontext()


async def test_a_piece_that_fails_is_done_again_and_logged_by_what_an_operator_can_do() -> None:
    done = asyncio.Event()
    errors: list[Exception] = [
        ValueError(),
        ConnectionRefusedError(),
        asyncpg.InsufficientPrivilegeError("no"),
    ]

    async def piece(_con: object) -> bool:
        if errors:
            raise errors.pop(0)
        done.set()
        return False

    job = Job("seal", piece, 60)
    with capture_logs() as lines:
        running = asyncio.create_task(job.run(cast("asyncpg.Pool", Pool())))
        await asyncio.wait_for(done.wait(), 5)
        running.cancel()
        await asyncio.wait({running})
    logged = [(line["log_level"], line["event"]) for line in lines]
    assert logged == [("error", "job_failed"), ("debug", "job_deferred"), ("warning", "job_refused")]


async def test_a_job_does_pieces_while_there_are_any_then_waits_to_be_woken() -> None:
    waiting, done, told = 3, 0, 0
    idle = asyncio.Event()

    async def piece(_con: object) -> bool:
        nonlocal waiting, done
        if not waiting:
            idle.set()
            return False
        waiting, done = waiting - 1, done + 1
        return True

    def next_job() -> None:
        nonlocal told
        told += 1

    job = Job("seal", piece, 3600, then=(next_job,))
    running = asyncio.create_task(job.run(cast("asyncpg.Pool", Pool())))
    await idle.wait()
    assert (done, told) == (3, 3)
    idle.clear()
    waiting = 2
    job.wake()
    await asyncio.wait_for(idle.wait(), 5)
    running.cancel()
    await asyncio.wait({running})
    assert (done, told) == (5, 5)
