"""What others ask a running process by HTTP: /metrics, /live and /ready. No login: it belongs on loopback."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import cast

import structlog
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from process.connections import Door, Limits
from process.metrics import Metrics

AGAIN_SECONDS = 5.0
CLOSE_SECONDS = 1.0  # for connections that are just asking
LIMITS = Limits(total=32, seconds=10.0)  # a connection is for one question
log = structlog.get_logger()

type Told = Callable[[], list[str]]


class CannotServe(Exception):
    """The address for /metrics, /live and /ready cannot be had."""


@asynccontextmanager
async def health(
    host: str,
    port: int,
    metrics: Metrics,
    ready: Told,
    warnings: Told = list,
    *,
    limits: Limits = LIMITS,
) -> AsyncIterator[str]:
    """Serve while the block runs; its value is the address, `http://127.0.0.1:9460`. Port 0 takes a free one.

    `ready` returns why this process cannot do its work now, in sentences; none means that it can. With any,
    /ready answers 503 and tells them; `warnings` are only told. /live answers 200 as long as the event loop
    turns. Raises CannotServe.
    """
    runner = web.AppRunner(_app(metrics, ready, warnings), access_log=None, shutdown_timeout=CLOSE_SECONDS)
    await runner.setup()
    door = Door("health", cast("web.Server", runner.server), limits)
    try:
        server = await _listen(door, host, port)
        try:
            address, bound, *_ = server.sockets[0].getsockname()
            yield f"http://[{address}]:{bound}" if ":" in address else f"http://{address}:{bound}"
        finally:
            server.close()
    finally:
        await runner.cleanup()


async def keep_serving(
    serving: Callable[[], AbstractAsyncContextManager[str]], again_seconds: float = AGAIN_SECONDS
) -> None:
    """Serve until cancelled. Where the port is taken, log that and try again: calls do not wait for it.

    `serving` makes what health() returns.
    """
    while True:
        try:
            async with serving():
                await asyncio.get_running_loop().create_future()
        except CannotServe as wrong:
            log.error("health_port_taken", why=str(wrong))  # noqa: TRY400 - told in full
        await asyncio.sleep(again_seconds)


async def _listen(door: Door, host: str, port: int) -> asyncio.Server:
    try:
        return await asyncio.get_running_loop().create_server(door, host, port)
    except OSError as wrong:
        raise CannotServe(
            f"{host}:{port}: {wrong.strerror}; choose another address in [http] of the settings"
        ) from wrong


def _app(metrics: Metrics, ready: Told, warnings: Told) -> web.Application:
    async def tell_metrics(_: web.Request) -> web.Response:
        return web.Response(body=metrics.render(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def tell_live(_: web.Request) -> web.Response:
        return web.json_response({"live": True})

    async def tell_ready(_: web.Request) -> web.Response:
        reasons = ready()
        told = {"ready": not reasons, "reasons": reasons, "warnings": warnings()}
        return web.json_response(told, status=503 if reasons else 200)

    async def close(_: web.Request, response: web.StreamResponse) -> None:
        response.force_close()
        response.headers["Connection"] = "close"  # so that a client does not ask again just then

    app = web.Application()
    app.on_response_prepare.append(close)
    app.add_routes(
        [web.get("/metrics", tell_metrics), web.get("/live", tell_live), web.get("/ready", tell_ready)]
    )
    return app
