"""The portal's port: how many connections, how long, and how large a request may be."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from portal.services import Services
from portal.site import application
from process.connections import Door, Limits
from process.health import CannotServe

# One request for each connection; downloads are exempt once they have begun.
LIMITS = Limits(total=500, seconds=30.0)
SHUTDOWN_SECONDS = 1.0
LINE_BYTES = 4096  # of the first line of a request, and of each field of its head
# aiohttp would log requests that it cannot read, with what is in them.
SILENT = logging.getLogger("portal.silent")
SILENT.addHandler(logging.NullHandler())
SILENT.propagate = False
LINGER_SECONDS = 2.0  # for the rest of a request that was refused


@asynccontextmanager
async def serving(services: Services) -> AsyncIterator[str]:
    """Serve while the block runs; yield HOST:PORT. Raises CannotServe."""
    door = Door("portal", lambda: runner.server(), LIMITS)  # type: ignore[misc]  # noqa: PLW0108 - made below
    runner = web.AppRunner(
        application(services, door.exempt),
        access_log=None,
        logger=SILENT,
        shutdown_timeout=SHUTDOWN_SECONDS,
        max_line_size=LINE_BYTES,
        max_field_size=LINE_BYTES,
        lingering_time=LINGER_SECONDS,
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
