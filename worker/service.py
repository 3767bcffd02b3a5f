"""The worker: all that happens after calls, in its own process, so that none of it can disturb a call."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import structlog

from config.settings import Settings
from process.health import health
from process.memory import keep_giving_back, return_large_pieces
from process.metrics import watch_loop
from process.signals import stop_requested
from worker.audio import AudioJobs
from worker.dead_letters import DeadLetters
from worker.drainer import Drainer
from worker.erasing import Erasing
from worker.job import Job
from worker.jobs import GRACE_SECONDS, doing
from worker.mail import MailJobs
from worker.metrics import WorkerMetrics
from worker.owners import owners_jobs
from worker.reconciling import reconciling_job

DEAD_LETTERS_SECONDS = 15.0
log = structlog.get_logger()


async def work(settings: Settings) -> None:
    """Drain the journal into PostgreSQL, seal, mail, destroy, until SIGTERM or SIGINT; then end within 2 s.

    Raises SettingsError, CannotServe, MigrationChanged, NodeTaken.
    """
    return_large_pieces()
    metrics = WorkerMetrics()
    audio_jobs = AudioJobs(settings, metrics, lambda: drainer.open_calls, posted=lambda: wake(mail_jobs))
    mail_jobs = MailJobs(settings, metrics, audio_jobs.fetch_for_mail, settled=audio_jobs.destroying.wake)
    drainer = drainer_of(settings, on_stored=lambda: wake(audio_jobs, mail_jobs))
    look = DeadLetters(settings.node, metrics).look
    letters = Job("dead letters", look, DEAD_LETTERS_SECONDS, then=(lambda: wake(audio_jobs, mail_jobs),))
    reconciling = reconciling_job(settings, metrics, lambda: drainer.backlog)
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
        beside = [asyncio.create_task(each) for each in (watch_loop(metrics), keep_giving_back())]
        try:
            await until(stop, drainer)
        finally:
            for task in beside:
                task.cancel()
    log.info("worker_stopped")


def drainer_of(settings: Settings, on_stored: Callable[[], None]) -> Drainer:
    return Drainer(
        settings.journal_dir,
        settings.node,
        settings.database.get_secret_value(),
        timedelta(hours=settings.journal.keep_hours),
        on_stored,
    )


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
