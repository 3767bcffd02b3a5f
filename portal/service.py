"""The portal process: everything that `callengine portal` runs."""

import asyncio
from contextlib import AsyncExitStack

import asyncpg
import structlog

from config.settings import Settings
from portal.opening import opened
from portal.server import serving
from process.health import health
from process.metrics import Metrics, watch_loop
from process.signals import stop_requested
from storage.away import AWAY
from storage.owned import logins, passkeys
from storage.owned.tenant import nobodys, require_limited

SWEEP_SECONDS = 600.0
log = structlog.get_logger()


async def serve(settings: Settings) -> None:
    """Show owners their pages, until SIGTERM or SIGINT. Raises SettingsError, CannotServe, RoleUnlimited."""
    settings.require("portal.url", "mail.sender", "master_key")
    stop, metrics = stop_requested(), Metrics()
    async with AsyncExitStack() as held:
        services = await held.enter_async_context(opened(settings))
        async with nobodys(services.pool) as con:
            await require_limited(con)
        address = await held.enter_async_context(serving(services))
        http, troubles = settings.http, services.routing
        url = await held.enter_async_context(
            health(http.host, http.portal_port, metrics, lambda: troubles.troubles)
        )
        jobs = await held.enter_async_context(asyncio.TaskGroup())  # one that fails ends the process
        for job in (services.routing.keep_reading(), sweep(services.pool), watch_loop(metrics)):
            held.callback(jobs.create_task(job).cancel)
        log.info("portal_started", address=address, health=url)
        await stop.wait()
    log.info("portal_stopped")


async def sweep(pool: asyncpg.Pool) -> None:
    """Delete old links and sessions, again and again, until cancelled."""
    while True:
        try:
            async with nobodys(pool) as con:
                await logins.sweep(con)
                await passkeys.sweep(con)
        except AWAY as error:
            log.warning("portal_database_away", error=type(error).__name__)
        await asyncio.sleep(SWEEP_SECONDS)
