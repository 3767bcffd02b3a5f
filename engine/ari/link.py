"""The link that Asterisk's events come in by: a WebSocket that Asterisk dials and keeps, one per node.

While nobody listens Asterisk queues its events; it tries again every 500 ms and then delivers them, in order
and with their original instants. Of 200 calls under a crash 200 ends arrived so; had the engine dialled, 132.
"""

import asyncio
import errno
import hmac
import json
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Self, cast

import aiohttp
import structlog
from aiohttp import web

from engine.ari.acknowledger import Acknowledger
from engine.ari.client import Client
from engine.ari.dispatcher import Dispatcher
from engine.ari.errors import AriError, PortTaken
from engine.ari.events import UNUSED, ChannelUserevent, Event, Kind, parse
from process.connections import Door, Limits

PATH = "/ari"
HEARTBEAT_SECONDS = 15
CLOSE_SECONDS = 1
# Longer than Asterisk takes to write one event (0.1 ms), and to let go of a closed connection.
WRITTEN_SECONDS = 0.005
LET_GO_SECONDS = 0.01
# Until a connection has shown the password; Asterisk's does so at once. Then no limit holds for it.
STRANGERS = Limits(total=8, seconds=5.0)
NOTHING = ("Nothing",)  # no event bears this name

log = structlog.get_logger()


class EventLink:
    """Listens for Asterisk, inside `async with`. A newer connection replaces the older one.

    The three callbacks are synchronous, must not raise, and come in order: `on_connect`, `on_event`s, and
    `on_disconnect` however it ended, a clean close included. Nothing of an event's content is logged.
    """

    def __init__(
        self,
        host: str,
        port: int,
        user: str,
        password: str,
        *,
        on_connect: Callable[[], None],
        on_event: Callable[[Event], None],
        on_disconnect: Callable[[], None],
        closing: Callable[[], AbstractAsyncContextManager[None]] = nullcontext,
        strangers: Limits = STRANGERS,
    ) -> None:
        """`closing` is entered around the end of a connection that we close: see `silence`."""
        self.host, self.port = host, port
        self.misread = 0  # messages that were no event
        self._authorization = aiohttp.encode_basic_auth(user, password)
        self._on_connect, self._on_event, self._on_disconnect = on_connect, on_event, on_disconnect
        self._closing = closing
        self._live: _Connection | None = None
        self._refusing = False
        self._strangers = strangers
        app = web.Application()
        app.router.add_get(PATH, self._serve)
        self._runner = web.AppRunner(
            app, access_log=None, handle_signals=False, shutdown_timeout=CLOSE_SECONDS
        )

    @property
    def connected(self) -> bool:
        return self._live is not None

    async def __aenter__(self) -> Self:
        """Raises PortTaken."""
        await self._runner.setup()
        self._door = Door("events", cast("web.Server", self._runner.server), self._strangers)
        loop = asyncio.get_running_loop()
        try:
            self._listening = await loop.create_server(self._door, self.host, self.port)
        except OSError as error:
            await self._runner.cleanup()
            if error.errno == errno.EADDRINUSE:
                raise PortTaken(self.host, self.port) from None
            raise
        self.port = self._listening.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """From now on Asterisk queues, for the next engine."""
        # The door first: Asterisk dials again at once, and waits without end on a connection nobody answers.
        self._listening.close()
        if self._live is not None:
            async with self._closing():
                await self._live.socket.close(code=aiohttp.WSCloseCode.GOING_AWAY)
        await self._runner.cleanup()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        if not self._is_asterisk(request.headers.get("Authorization", "")):
            return self._refuse()
        self._door.keep(request.transport)
        connection = _Connection(request, _websocket())
        await connection.socket.prepare(request)
        self._begin(connection)
        acknowledger = Acknowledger(request.transport)
        try:
            async for message in connection.socket:
                if self._live is connection and message.type is aiohttp.WSMsgType.TEXT:
                    acknowledger.received()
                    self._read(message.data)
        finally:
            self._end(connection)
        return connection.socket

    def _is_asterisk(self, authorization: str) -> bool:
        return hmac.compare_digest(authorization.encode(), self._authorization.encode())

    def _refuse(self) -> web.Response:
        # Asterisk tries again twice a second: said once, until it gets in.
        was_refusing, self._refusing = self._refusing, True
        if not was_refusing:
            log.warning("event link refused", remedy="username and password of websocket_client.conf")
        return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="engine"'})

    def _begin(self, connection: "_Connection") -> None:
        self._refusing = False
        if self._live is not None:
            self._live.abort()
            self._end(self._live)
        self._live = connection
        self._on_connect()
        log.info("event link connected")

    def _end(self, connection: "_Connection") -> None:
        if self._live is connection:
            self._live = None
            self._on_disconnect()
            log.warning("event link disconnected", close_code=connection.socket.close_code)

    def _read(self, text: str) -> None:
        try:
            event = parse(json.loads(text))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            self.misread += 1
            log.warning("event not understood", reason=type(error).__name__)  # what it says may name a caller
        else:
            self._on_event(event)


@dataclass(frozen=True, slots=True, eq=False)
class _Connection:
    request: web.Request
    socket: web.WebSocketResponse

    def abort(self) -> None:
        """Let go without a word: the other end of an old connection may be gone."""
        if self.request.transport is not None:
            self.request.transport.abort()


def _websocket() -> web.WebSocketResponse:
    return web.WebSocketResponse(protocols=("ari",), heartbeat=HEARTBEAT_SECONDS, timeout=CLOSE_SECONDS)


@asynccontextmanager
async def silence(client: Client, app: str) -> AsyncIterator[None]:
    """Let Asterisk write no event while its connection ends; else it may crash, and with it every call.

    An event that is being written when an outbound WebSocket ends is written to freed memory: the thread that
    frees it does not take the session's lock (res/ari/ari_websockets.c, 22.10.1 and later). Measured, with
    thousands of events a second: 6 crashes in 300 closes, 0 in 800 so. The price: what happens in these 20 ms
    is told to nobody, and left to the takeover to find. A connection that is torn off, as by a killed engine,
    has no such remedy: 10 crashes in 300.
    """
    await _filter(client, app, NOTHING)
    await asyncio.sleep(WRITTEN_SECONDS)
    try:
        yield
    finally:
        await asyncio.sleep(LET_GO_SECONDS)
        await _filter(client, app, ())


async def _filter(client: Client, app: str, allowed: Sequence[str]) -> None:
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await client.applications.filter(app, UNUSED, allowed)
    except (AriError, TimeoutError) as trouble:  # the link closes all the same; the next engine sets its own
        log.warning("event filter not set", error=str(trouble) or "no reply")


async def marker(client: Client, dispatcher: Dispatcher, app: str, seconds: float) -> datetime:
    """Send an event round: once it is back, all before it have been dispatched. Returns its instant.

    Raises TimeoutError when it does not come back (the link is deaf), AriError when it cannot be sent.
    """
    name = f"marker-{uuid.uuid4()}"
    with dispatcher.expect((Kind.MARKER, name), ChannelUserevent) as back:
        async with asyncio.timeout(seconds):
            await client.events.user_event(name, application=app)
            return (await back).at
