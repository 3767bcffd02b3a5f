"""What the worker does again and again: one piece after the other while there is any, then it waits."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Protocol, cast

import asyncpg
import structlog

# What says nothing of the work: the database is away, shutting down, full, or without its schema yet.
AWAY = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a query on a connection that the server is just closing
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.UndefinedTableError,
    asyncpg.UndefinedColumnError,
    asyncpg.UndefinedFunctionError,
)
LONGEST_PAUSE_SECONDS = 5.0
log = structlog.get_logger()


class Work(Protocol):
    """What the worker does until it is cancelled."""

    @property
    def name(self) -> str: ...

    def wake(self) -> None:
        """There may be something to do."""

    async def run(self, pool: asyncpg.Pool) -> None:
        """Do it until cancelled."""


async def keep_doing(work: Work, pool: asyncpg.Pool) -> None:
    """Do it until cancelled. What it dies of is logged, and it begins again: nothing ends in silence."""
    while True:
        try:
            await work.run(pool)
        except Exception:
            log.exception("job_died", job=work.name)
        await asyncio.sleep(LONGEST_PAUSE_SECONDS)


class Job:
    """One kind of work. `piece` does the next piece of it, and tells whether there may be more.

    It is done at once when `wake` is called, else looked for every `seconds`. After a piece that was done,
    those of `then` are told. `concurrency` pieces are done at a time, each with a connection of its own.
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
        """Do it until cancelled. After trouble, of the database or of our own, again after 0.2 s to 5 s."""
        async with asyncio.TaskGroup() as group:
            for woken in self._woken:
                group.create_task(self._run(pool, woken))

    async def _run(self, pool: asyncpg.Pool, woken: asyncio.Event) -> None:
        pause = 0.1
        while True:
            woken.clear()
            if await self._did_all(pool):
                pause = 0.1
                with suppress(TimeoutError):
                    await asyncio.wait_for(woken.wait(), self._seconds)
            else:
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
                await asyncio.sleep(pause)

    async def _did_all(self, pool: asyncpg.Pool) -> bool:
        """Whether it went well. One piece that cannot be done must not end the others."""
        try:
            await self._do_all(pool)
        except AWAY as error:
            log.debug("job_waiting", job=self.name, error=repr(error))
            return False
        except Exception:
            log.exception("job_failed", job=self.name)
            return False
        return True

    async def _do_all(self, pool: asyncpg.Pool) -> None:
        while True:
            async with pool.acquire(timeout=5) as con:
                # Typed as what it stands for: it has all of its methods.
                if not await self._piece(cast("asyncpg.Connection", con)):
                    return
            for tell in self._then:
                tell()
