"""All jobs of the worker, on one pool of connections to the database."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import asyncpg

from mailer.outbox_worker import OutboxWorker
from worker.drainer import COMMAND_SECONDS
from worker.job import Job, Work, keep_running

GRACE_SECONDS = 1.0
CONNECTIONS = 16  # for all jobs; made when needed


@asynccontextmanager
async def doing(jobs: Sequence[Work], database: str, has_node: asyncio.Event) -> AsyncIterator[None]:
    """Run these jobs while the block runs. A piece that is not done at its end is done by the next worker.

    Jobs begin once the node's name is known to be ours: another node's plain files are on another disk.
    """
    pool = asyncpg.create_pool(
        database,
        min_size=0,
        max_size=CONNECTIONS,
        timeout=5,
        command_timeout=COMMAND_SECONDS,
        reset=nothing_to_reset,
    )
    await pool
    tasks = [asyncio.create_task(begin(job, pool, has_node), name=job.name) for job in jobs]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        # The acceptance of a mail that was sent just now is stored, or the mail would be sent again.
        await asyncio.wait(tasks, timeout=GRACE_SECONDS)
        pool.terminate()


async def begin(job: Work, pool: asyncpg.Pool, has_node: asyncio.Event) -> None:
    if isinstance(job, Job | OutboxWorker):
        await has_node.wait()
    await keep_running(job, pool)


async def nothing_to_reset(_con: object) -> None:
    """Leave the connection as it is: jobs leave no state behind in it.

    asyncpg's own reset, each time a connection is released, costs a third of the mails per second.
    """
