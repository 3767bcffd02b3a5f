"""The worker: all that happens after calls, in its own process, so that none of it can disturb a call."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import asyncpg
import structlog

from config.settings import Settings
from mailer.outbox_worker import OutboxWorker
from process.health import health
from process.metrics import watch_loop
from process.signals import stop_requested
from storage.reconciliation import Sources
from worker.audio import AudioJobs
from worker.dead_letters import DeadLetters
from worker.drainer import COMMAND_SECONDS, Drainer
from worker.erasing import Erasing
from worker.job import Job, Work, keep_running
from worker.mail import MailJobs
from worker.metrics import WorkerMetrics
from worker.owners import owners_jobs
from worker.reconciling import LOOK_SECONDS, Reconciling

GRACE_SECONDS = 1.0
DEAD_LETTERS_SECONDS = 15.0
CONNECTIONS = 16  # to the database, for all jobs; made when needed
log = structlog.get_logger()


async def work(settings: Settings) -> None:
    """Drain the journal into PostgreSQL, seal, mail, destroy, until SIGTERM or SIGINT; then end within 2 s.

    Raises SettingsError, CannotServe, MigrationChanged, NodeTaken.
    """
    metrics = WorkerMetrics()
    audio_jobs = AudioJobs(settings, metrics, lambda: drainer.open_calls, posted=lambda: wake(mail_jobs))
    mail_jobs = MailJobs(settings, metrics, audio_jobs.fetch_for_mail, settled=audio_jobs.destroying.wake)
    drainer = drainer_of(settings, on_stored=lambda: wake(audio_jobs, mail_jobs))
    look = DeadLetters(settings.node, metrics).look
    letters = Job("dead letters", look, DEAD_LETTERS_SECONDS, then=(lambda: wake(audio_jobs, mail_jobs),))
    reconciling = Job("reconcile", reconciling_of(settings, metrics, drainer).look, LOOK_SECONDS)
    erasing = Erasing(settings, drainer, metrics)
    callers = [erasing.job, *owners_jobs(settings, metrics)]
    metrics.drain_backlog_bytes.set_function(lambda: drainer.backlog)
    metrics.journal_damaged.set_function(lambda: len(drainer.damaged))
    stop = stop_requested()
    http, database = settings.http, settings.database.get_secret_value()
    async with (
        health(
            http.host, http.worker_port, metrics, lambda: troubles(drainer, audio_jobs, mail_jobs, erasing)
        ) as url,
        audio_jobs.at_work(),
        doing(
            [letters, reconciling, *callers, *audio_jobs.jobs, *mail_jobs.jobs],
            database,
            drainer.has_node,
        ),
    ):
        log.info("worker_started", health=url)
        watching = asyncio.create_task(watch_loop(metrics))
        try:
            await until(stop, drainer)
        finally:
            watching.cancel()
    log.info("worker_stopped")


def drainer_of(settings: Settings, on_stored: Callable[[], None]) -> Drainer:
    return Drainer(
        settings.journal_dir,
        settings.node,
        settings.database.get_secret_value(),
        timedelta(hours=settings.journal.keep_hours),
        on_stored,
    )


def reconciling_of(settings: Settings, metrics: WorkerMetrics, drainer: Drainer) -> Reconciling:
    sources = Sources(settings.node, settings.asterisk.cel, settings.journal_dir)
    database = settings.database.get_secret_value()
    return Reconciling(sources, database, metrics, lambda: drainer.backlog)


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


def wake(*jobs: AudioJobs | MailJobs) -> None:
    """There are new calls in the database."""
    for each in jobs:
        each.wake()


def troubles(drainer: Drainer, *jobs: AudioJobs | MailJobs | Erasing) -> list[str]:
    """Why the worker is not ready."""
    away = drainer.behind or "the database is away: call records wait in the journal"
    return [*([] if drainer.connected else [away]), *(why for job in jobs for why in job.troubles)]


async def until(stop: asyncio.Event, drainer: Drainer) -> None:
    """Drain until `stop`; an error of the drainer that no waiting cures is raised."""
    draining = asyncio.create_task(drainer.run())
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({draining, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    drainer.stop()
    await asyncio.wait({draining}, timeout=GRACE_SECONDS)
    # It may still be connecting, perhaps to a network that drops everything. The next worker drains the rest.
    if not draining.done():
        draining.cancel()
    else:
        draining.result()
