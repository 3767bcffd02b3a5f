"""The portal process: everything that `callengine portal` runs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import asyncpg
import structlog
from aiohttp import web

from config.settings import Settings, SettingsError
from config.versions import Versions
from mailer.compose import Sender
from mailer.mail_settings import post_of
from portal.link_mail import LinkMailer
from portal.routing import RoutingInForce
from portal.secrets import Secrets
from portal.services import Services
from portal.site import application
from process.connections import Door, Limits
from process.health import CannotServe, health
from process.metrics import Metrics, watch_loop
from process.signals import stop_requested
from storage.away import AWAY
from storage.encrypted_store import EncryptedStore
from storage.owned import logins
from storage.owned.tenant import connect, nobodys, require_limited
from storage.stores import key_wrapper_of, objects_of

CONNECTIONS = 10  # to the database
STATEMENT_SECONDS = 20.0
# One request for each connection; downloads are exempt once they have begun.
LIMITS = Limits(total=500, seconds=30.0)
SHUTDOWN_SECONDS = 1.0
SWEEP_SECONDS = 600.0
LINE_BYTES, HEAD_FIELDS = 4096, 60
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
        for job in (services.routing.keep_reading(), sweep(services.pool), watch_loop(metrics)):
            task = asyncio.create_task(job)
            held.callback(task.cancel)
        log.info("portal_started", address=address, health=url)
        await stop.wait()
    log.info("portal_stopped")


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Services]:
    """What the pages use, as the settings say."""
    key_wrapper = key_wrapper_of(settings)
    if key_wrapper is None:
        raise SettingsError(["master_key is not set"])
    mail, objects = settings.mail, objects_of(settings)
    database = settings.portal.database.get_secret_value() or settings.database.get_secret_value()
    pool = await connect(database, CONNECTIONS, STATEMENT_SECONDS)
    links = LinkMailer(post_of(mail), Sender(mail.sender, mail.sender_name), mail.require_tls)
    try:
        yield Services(
            portal=settings.portal,
            pool=pool,
            routing=RoutingInForce(Versions(settings.routing_versions)),
            secrets=Secrets(settings.master_key.get_secret_value()),
            links=links,
            encrypted_store=EncryptedStore(objects, key_wrapper),
        )
    finally:
        await links.close()
        await objects.close()
        pool.terminate()


@asynccontextmanager
async def serving(services: Services) -> AsyncIterator[str]:
    """Serve while the block runs; yield HOST:PORT. Raises CannotServe."""
    door = Door("portal", lambda: runner.server(), LIMITS)  # type: ignore[misc]  # noqa: PLW0108 - made below
    runner = web.AppRunner(
        application(services, door.exempt),
        access_log=None,
        shutdown_timeout=SHUTDOWN_SECONDS,
        max_line_size=LINE_BYTES,
        max_field_size=LINE_BYTES,
        lingering_time=2.0,
    )
    await runner.setup()
    host, port = services.portal.host, services.portal.port
    try:
        try:
            server = await asyncio.get_running_loop().create_server(door, host, port)
        except OSError as error:
            raise CannotServe(f"{host}:{port}: {error.strerror}; choose another in [portal]") from error
        bound, number, *_ = server.sockets[0].getsockname()
        try:
            yield f"{bound}:{number}"
        finally:
            server.close()
    finally:
        await runner.cleanup()


async def sweep(pool: asyncpg.Pool) -> None:
    """Delete old links and sessions, again and again, until cancelled."""
    while True:
        try:
            async with nobodys(pool) as con:
                await logins.sweep(con)
        except AWAY as error:
            log.warning("portal_database_away", error=type(error).__name__)
        await asyncio.sleep(SWEEP_SECONDS)
