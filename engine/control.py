"""The control socket: what is live, hang up, drain. HTTP on a Unix socket for the engine's user alone.

It is `control.sock` in the state folder. The port for metrics has no login, so it offers none of this.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
from aiohttp import web

from engine.ari.errors import AriError
from engine.drain import Drain
from engine.live_calls import busiest, by_carrier, listed
from journal.state import CallState
from process.local_socket import bound

SOCKET = "control.sock"
AGAIN_SECONDS = 5.0
MOST_BYTES = 4096  # of a request
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Controlled:
    """What the socket shows and changes. `hang_up` returns whether there was such a call."""

    states: Callable[[], list[CallState]]
    hang_up: Callable[[str], Awaitable[bool]]
    drain: Drain
    overview: Callable[[], dict[str, Any]]


async def keep_controlling(folder: Path, controlled: Controlled) -> None:
    """Serve until cancelled. A socket that cannot be opened stops no call; it is tried again."""
    runner = web.AppRunner(_app(controlled), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        while True:
            try:
                await web.SockSite(runner, bound(folder / SOCKET)).start()
            except OSError as error:
                log.error("control_socket_failed", why=str(error))  # noqa: TRY400 - `why` is all of it
                await asyncio.sleep(AGAIN_SECONDS)
            else:
                await asyncio.get_running_loop().create_future()
    finally:
        await runner.cleanup()
        with suppress(OSError):
            (folder / SOCKET).unlink()


def _app(controlled: Controlled) -> web.Application:
    async def show_calls(_: web.Request) -> web.Response:
        return web.json_response({"calls": listed(controlled.states(), datetime.now(UTC))})

    async def show_top(_: web.Request) -> web.Response:
        states = controlled.states()
        top = {"live": len(states), "drained": controlled.drain.is_on}
        counted = {"numbers": busiest(states), "trunks": by_carrier(states)}
        return web.json_response({**controlled.overview(), **top, **counted})

    async def hang_up(request: web.Request) -> web.Response:
        call_id, operator = request.match_info["call"], await _operator(request)
        try:
            is_live = await controlled.hang_up(call_id)
        except AriError as error:
            return web.json_response({"error": f"Asterisk: {error}"}, status=502)
        if not is_live:
            return web.json_response({"error": f"there is no live call {call_id}"}, status=404)
        log.warning("call_hung_up", call=call_id, operator=operator)
        return web.json_response({"hung_up": call_id})

    async def drain(request: web.Request) -> web.Response:
        on, operator = request.match_info["state"] == "on", await _operator(request)
        try:
            controlled.drain.turn(on=on, operator=operator)
        except OSError as error:
            return web.json_response({"error": f"the state folder: {error.strerror}"}, status=500)
        return web.json_response({"drained": on, "live": len(controlled.states())})

    app = web.Application(client_max_size=MOST_BYTES)
    app.add_routes(
        [
            web.get("/calls", show_calls),
            web.get("/top", show_top),
            web.delete("/calls/{call:[0-9a-f-]{36}}", hang_up),
            web.post("/drain/{state:on|off}", drain),
        ]
    )
    return app


async def _operator(request: web.Request) -> str:
    """Who asks, as the client says: this is for the log, and no permission."""
    return (await request.text())[:200]
