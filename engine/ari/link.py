"""The event link: a WebSocket that Asterisk connects and keeps, one for each node.

While the engine is away Asterisk queues its events; it connects again every 500 ms and then delivers them, in
order and with their original instants. Of 200 calls during a crash 200 ends arrived; 132 if the engine
connects.
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
# Longer than Asterisk takes to write one event (0.1 ms), and to release a closed connection.
WRITTEN_SECONDS = 0.005
RELEASED_SECONDS = 0.01
# For a connection that has not sent the password yet; Asterisk sends it at once. Afterwards there is no
# limit.
STRANGERS = Limits(total=8, seconds=5.0)
NOTHING = ("Nothing",)  # no event has this name

log = structlog.get_logger()


class EventLink:
    """Waits for Asterisk to connect, inside `async with`. A newer connection replaces the older one.

    The three callbacks are synchronous, must not raise, and are called in order: `on_connect`, `on_event` for
    each event, and `on_disconnect` at every end, a clean close too. No content of an event is logged.
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
        """`closing`: entered while the engine closes a connection: see `silence`."""
        self.host, self.port = host, port
        self.misread = 0  # messages that were not events
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
        """From now on Asterisk queues its events for the next engine."""
        # The listening socket first: Asterisk connects again at once, and would wait for an answer without
        # end.
        self._listening.close()
        if self._live is not None:
            async with self._closing():
                await self._live.socket.close(code=aiohttp.WSCloseCode.GOING_AWAY)
        await self._runner.cleanup()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        if not self._is_asterisk(request.headers.get("Authorization", "")):
            return self._refuse()
        self._door.exempt(request.transport)
        connection = _Connection(request, _websocket())
        await connection.socket.prepare(request)
        self._begin(connection)
        acknowledger = Acknowledger(request.transport)
        try:
            async for message in connection.socket:
                if self._live is connection and message.type is aiohttp.WSMsgType.TEXT:
                    self._read(message.data)
                    acknowledger.received()
        finally:
            self._end(connection)
        return connection.socket

    def _is_asterisk(self, authorization: str) -> bool:
        return hmac.compare_digest(authorization.encode(), self._authorization.encode())

    def _refuse(self) -> web.Response:
        # Asterisk tries again twice a second: log it once, until it succeeds.
        was_refusing, self._refusing = self._refusing, True
        if not was_refusing:
            log.warning("event_link_refused", remedy="username and password of websocket_client.conf")
        return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="engine"'})

    def _begin(self, connection: "_Connection") -> None:
        self._refusing = False
        if self._live is not None:
            self._live.abort()
            self._end(self._live)
        self._live = connection
        self._on_connect()
        log.info("event_link_connected")

    def _end(self, connection: "_Connection") -> None:
        if self._live is connection:
            self._live = None
            self._on_disconnect()
            log.warning("event_link_disconnected", close_code=connection.socket.close_code)

    def _read(self, text: str) -> None:
        try:
            event = parse(json.loads(text))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            self.misread += 1
            log.warning("event_not_understood", reason=type(error).__name__)  # its text may name a caller
        else:
            self._on_event(event)


@dataclass(frozen=True, slots=True, eq=False)
class _Connection:
    request: web.Request
    socket: web.WebSocketResponse

    def abort(self) -> None:
        """Close without a close frame: the other end of an old connection may not exist."""
        if self.request.transport is not None:
            self.request.transport.abort()


def _websocket() -> web.WebSocketResponse:
    return web.WebSocketResponse(protocols=("ari",), heartbeat=HEARTBEAT_SECONDS, timeout=CLOSE_SECONDS)


@asynccontextmanager
async def silence(client: Client, app: str) -> AsyncIterator[None]:
    """Keep Asterisk from writing events while its connection ends; otherwise it may crash, with every call.

    An event that is written while an outbound WebSocket ends goes to freed memory: the thread that frees it
    does not take the session's lock (res/ari/ari_websockets.c, 22.10.1 and later). Measured, with thousands
    of events a second: 6 crashes in 300 closes without this, 0 in 800 with it. The price: events of these 20
    ms are lost, and the takeover has to ask Asterisk. There is no remedy when a killed engine breaks the
    connection: 10 crashes in 300.
    """
    await _filter(client, app, NOTHING)
    await asyncio.sleep(WRITTEN_SECONDS)
    try:
        yield
    finally:
        await asyncio.sleep(RELEASED_SECONDS)
        await _filter(client, app, ())


async def _filter(client: Client, app: str, allowed: Sequence[str]) -> None:
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await client.applications.filter(app, UNUSED, allowed)
    except (
        AriError,
        TimeoutError,
    ) as error:  # close nevertheless; the next engine sets its filter
        log.warning("event_filter_not_set", error=str(error) or "no reply")


async def marker(client: Client, dispatcher: Dispatcher, app: str, seconds: float) -> datetime:
    """Send a user event; when it arrives, all events before it have been dispatched. Return its instant.

    Raises TimeoutError if it does not arrive, AriError if it cannot be sent.
    """
    name = f"marker-{uuid.uuid4()}"
    with dispatcher.expect((Kind.MARKER, name), ChannelUserevent) as back:
        async with asyncio.timeout(seconds):
            await client.events.user_event(name, application=app)
            return (await back).at
