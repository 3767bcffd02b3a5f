"""The worker's repeated work: a job does one piece after another while there are any, then it waits."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Protocol, cast

import asyncpg
import structlog

from storage.away import AWAY, LONGEST_PAUSE_SECONDS, retry

log = structlog.get_logger()


class Work(Protocol):
    """What the worker does until it is cancelled."""

    @property
    def name(self) -> str: ...

    def wake(self) -> None:
        """There may be something to do."""

    async def run(self, pool: asyncpg.Pool) -> None:
        """Work until cancelled."""


async def keep_running(work: Work, pool: asyncpg.Pool) -> None:
    """Run this work until cancelled. If an error ends it, log that and start it again."""
    while True:
        try:
            await work.run(pool)
        except Exception:
            log.exception("job_died", job=work.name)
        await asyncio.sleep(LONGEST_PAUSE_SECONDS)


class Job:
    """One kind of repeated work. `piece` does the next piece; it returns whether there may be more.

    It is called at once after `wake`, else every `seconds`. After each piece, every function of `then` is
    called. `concurrency`: how many pieces are done at a time, each with its own connection.
    """

    def __init__(
        self,
        name: str,
        piece: Callable[[asyncpg.Connection], Awaitable[bool]],
        seconds: float,
        then: tuple[Callable[[], None], ...] = (),
        concurrency: int = 1,
    ) -> None:
        self.name = name
        self._piece = piece
        self._seconds = seconds
        self._then = then
        self._woken = [asyncio.Event() for _ in range(concurrency)]

    def wake(self) -> None:
        """There may be something to do."""
        for woken in self._woken:
            woken.set()

    async def run(self, pool: asyncpg.Pool) -> None:
        """Do pieces until cancelled. After an error, of the database or our own, retry after 0.2 s to 5 s."""
        async with asyncio.TaskGroup() as group:
            for woken in self._woken:
                group.create_task(self._run(pool, woken))

    async def _run(self, pool: asyncpg.Pool, woken: asyncio.Event) -> None:
        while True:
            woken.clear()
            # One piece that cannot be done must not end the job: so every error is retried.
            await retry(partial(self._do_all, pool), self._report, (Exception,))
            with suppress(TimeoutError):
                await asyncio.wait_for(woken.wait(), self._seconds)

    def _report(self, error: Exception, pause: float) -> None:
        """Log it. That the database is away is logged by the drainer, so here it is only debug output."""
        if not isinstance(error, AWAY):
            log.error("job_failed", job=self.name, exc_info=error)
        elif isinstance(error, asyncpg.InsufficientPrivilegeError):
            log.warning("job_refused", job=self.name, error=str(error), retry_seconds=pause)
        else:
            log.debug("job_deferred", job=self.name, error=repr(error), retry_seconds=pause)

    async def _do_all(self, pool: asyncpg.Pool) -> None:
        while True:
            async with pool.acquire(timeout=5) as con:
                # A proxy of a connection, which has all of its methods.
                if not await self._piece(cast("asyncpg.Connection", con)):
                    return
            for call in self._then:
                call()
