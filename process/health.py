"""The HTTP server of a process: /metrics, /live and /ready. It has no login, so use loopback."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import cast

import structlog
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from process.connections import Door, Limits
from process.metrics import Metrics

AGAIN_SECONDS = 5.0
CLOSE_SECONDS = 1.0  # for open requests at shutdown
LIMITS = Limits(total=32, seconds=10.0)  # one request for each connection
log = structlog.get_logger()

type Reasons = Callable[[], list[str]]


class CannotServe(Exception):
    """The address for /metrics, /live and /ready cannot be used; the text says why."""


@asynccontextmanager
async def health(
    host: str,
    port: int,
    metrics: Metrics,
    ready: Reasons,
    warnings: Reasons = list,
    *,
    facts: Callable[[], Mapping[str, object]] = dict,
    limits: Limits = LIMITS,
) -> AsyncIterator[str]:
    """Serve while the block runs; yield the address, `http://127.0.0.1:9460`. Port 0 takes a free one.

    `ready` returns the reasons, in sentences, why this process cannot work now; with any, /ready answers 503
    and lists them. `warnings` and `facts` are only listed. /live answers 200 as long as the event loop runs.
    Raises CannotServe.
    """
    runner = web.AppRunner(
        _app(metrics, ready, warnings, facts), access_log=None, shutdown_timeout=CLOSE_SECONDS
    )
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
    """Serve until cancelled. If the port is taken, log that and try again: calls do not wait for it.

    `serving` calls health().
    """
    while True:
        try:
            async with serving():
                await asyncio.get_running_loop().create_future()
        except CannotServe as error:
            log.error("health_port_taken", why=str(error))  # noqa: TRY400 - `why` has the whole error
        await asyncio.sleep(again_seconds)


async def _listen(door: Door, host: str, port: int) -> asyncio.Server:
    try:
        return await asyncio.get_running_loop().create_server(door, host, port)
    except OSError as error:
        raise CannotServe(
            f"{host}:{port}: {error.strerror}; choose another address in [http] of the settings"
        ) from error


def _app(
    metrics: Metrics, ready: Reasons, warnings: Reasons, facts: Callable[[], Mapping[str, object]]
) -> web.Application:
    async def show_metrics(_: web.Request) -> web.Response:
        return web.Response(body=metrics.render(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def show_live(_: web.Request) -> web.Response:
        return web.json_response({"live": True})

    async def show_ready(_: web.Request) -> web.Response:
        reasons = ready()
        answer = {"ready": not reasons, "reasons": reasons, "warnings": warnings(), **facts()}
        return web.json_response(answer, status=503 if reasons else 200)

    async def close(_: web.Request, response: web.StreamResponse) -> None:
        response.force_close()
        response.headers["Connection"] = "close"  # so that a client does not reuse it at that moment

    app = web.Application()
    app.on_response_prepare.append(close)
    app.add_routes(
        [web.get("/metrics", show_metrics), web.get("/live", show_live), web.get("/ready", show_ready)]
    )
    return app
