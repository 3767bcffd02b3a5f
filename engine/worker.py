"""The worker: what happens after calls, in a process of its own, so that none of it can touch a call."""

import asyncio
import signal
from datetime import timedelta

import structlog

from config.settings import Settings
from engine.drainer import Drainer
from engine.health import health
from engine.metrics import WorkerMetrics, watch_loop

GRACE_SECONDS = 1.0
log = structlog.get_logger()


async def work(settings: Settings) -> None:
    """Drain the journal into PostgreSQL until SIGTERM or SIGINT; then end in less than two seconds.

    Raises CannotServe, MigrationChanged.
    """
    drainer = drainer_of(settings)
    metrics = WorkerMetrics()
    metrics.drain_backlog_bytes.set_function(lambda: drainer.backlog)
    stop = told_to_stop()
    http = settings.http
    async with health(http.host, http.worker_port, metrics, lambda: troubles(drainer)) as url:
        log.info("worker started", health=url)
        watching = asyncio.create_task(watch_loop(metrics))
        try:
            await until(stop, drainer)
        finally:
            watching.cancel()
    log.info("worker stopped")


def drainer_of(settings: Settings) -> Drainer:
    return Drainer(
        settings.journal_dir,
        settings.node,
        settings.database.get_secret_value(),
        timedelta(hours=settings.journal.keep_hours),
    )


def told_to_stop() -> asyncio.Event:
    """Set when SIGTERM or SIGINT comes."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    return told


def troubles(drainer: Drainer) -> list[str]:
    """Why the worker is not ready."""
    return [] if drainer.connected else ["the database is away: call records wait in the journal"]


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
