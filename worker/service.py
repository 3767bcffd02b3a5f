"""The worker: what happens after calls, in a process of its own, so that none of it can touch a call."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import asyncpg
import structlog

from config.settings import Settings
from mailer.outbox_worker import OutboxWorker
from process.health import health
from process.metrics import watch_loop
from storage.reconciliation import Sources
from worker.dead_letters import DeadLetters
from worker.drainer import COMMAND_SECONDS, Drainer
from worker.job import Job, Work, keep_doing
from worker.messages import Posting
from worker.metrics import WorkerMetrics
from worker.reconciling import LOOK_SECONDS, Reconciling
from worker.recordings import Keeper

GRACE_SECONDS = 1.0
DEAD_LETTERS_SECONDS = 15.0
CONNECTIONS = 16  # to the database, for all jobs; made when needed
log = structlog.get_logger()


async def work(settings: Settings) -> None:
    """Drain the journal into PostgreSQL, seal, mail, destroy, until SIGTERM or SIGINT; then end within 2 s.

    Raises SettingsError, CannotServe, MigrationChanged, NodeTaken.
    """
    metrics = WorkerMetrics()
    keeper = Keeper(settings, metrics, lambda: drainer.open_calls, posted=lambda: wake(posting))
    posting = Posting(settings, metrics, keeper.fetch, settled=keeper.destroying.wake)
    drainer = drainer_of(settings, tell=lambda: wake(keeper, posting))
    look = DeadLetters(settings.node, metrics).look
    letters = Job("dead letters", look, DEAD_LETTERS_SECONDS, then=(lambda: wake(keeper, posting),))
    reconciling = Job("reconcile", reconciling_of(settings, metrics, drainer).look, LOOK_SECONDS)
    metrics.drain_backlog_bytes.set_function(lambda: drainer.backlog)
    metrics.journal_damaged.set_function(lambda: len(drainer.damaged))
    stop = told_to_stop()
    http, database = settings.http, settings.database.get_secret_value()
    async with (
        health(http.host, http.worker_port, metrics, lambda: troubles(drainer, keeper, posting)) as url,
        doing([letters, reconciling, *keeper.jobs, *posting.jobs], database, drainer.has_node),
    ):
        log.info("worker started", health=url)
        watching = asyncio.create_task(watch_loop(metrics))
        try:
            await until(stop, drainer)
        finally:
            watching.cancel()
            await keeper.objects.close()
    log.info("worker stopped")


def drainer_of(settings: Settings, tell: Callable[[], None]) -> Drainer:
    return Drainer(
        settings.journal_dir,
        settings.node,
        settings.database.get_secret_value(),
        timedelta(hours=settings.journal.keep_hours),
        tell,
    )


def reconciling_of(settings: Settings, metrics: WorkerMetrics, drainer: Drainer) -> Reconciling:
    sources = Sources(settings.node, settings.asterisk.cel, settings.journal_dir)
    return Reconciling(sources, metrics, lambda: drainer.backlog)


@asynccontextmanager
async def doing(jobs: Sequence[Work], database: str, has_node: asyncio.Event) -> AsyncIterator[None]:
    """Do these jobs while the block runs. What is in hand at its end is left as it is, and done again.

    What is done with rows of this node waits until its name is known to be ours: of another one's sounds the
    files are on another disk.
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
        # A mail that has been accepted in this moment is written down, or it would be sent again.
        await asyncio.wait(tasks, timeout=GRACE_SECONDS)
        pool.terminate()


async def begin(job: Work, pool: asyncpg.Pool, has_node: asyncio.Event) -> None:
    if isinstance(job, Job | OutboxWorker):
        await has_node.wait()
    await keep_doing(job, pool)


async def nothing_to_reset(_con: object) -> None:
    """Jobs leave nothing behind in a connection. Asking PostgreSQL to forget it, each time a connection is
    given back, costs a third of the mails that can be sent in a second."""


def told_to_stop() -> asyncio.Event:
    """Set when SIGTERM or SIGINT comes."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    return told


def wake(*woken: Keeper | Posting) -> None:
    """There are new calls in the database."""
    for one in woken:
        one.wake()


def troubles(drainer: Drainer, keeper: Keeper, posting: Posting) -> list[str]:
    """Why the worker is not ready."""
    away = (
        []
        if drainer.connected
        else [drainer.behind or "the database is away: call records wait in the journal"]
    )
    return [*away, *keeper.troubles, *posting.troubles]


async def until(stop: asyncio.Event, drainer: Drainer) -> None:
    """Drain until `stop`; an error of the drainer that no waiting mends ends it too."""
    draining = asyncio.create_task(drainer.run())
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({draining, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    drainer.stop()
    await asyncio.wait({draining}, timeout=GRACE_SECONDS)
    # Still connecting, perhaps to a network that swallows everything. What is in hand is drained by the next.
    if not draining.done():
        draining.cancel()
    else:
        draining.result()
