"""Event links, and what came through them: on bare sockets, and with Asterisk at the other end."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from devkit.asterisk import Endpoint
from engine.ari.client import Client
from engine.ari.dispatcher import Dispatcher
from engine.ari.events import Event, StasisStart
from engine.ari.link import STRANGERS, EventLink, marker, silence
from process.connections import Limits
from tests.lateness import PATIENCE

MARKER = '{"type":"ChannelUserevent","timestamp":"2026-11-24T10:00:00.000+0000","eventname":"marker-1"}'


@dataclass
class Ear:
    """Takes down what a link tells, and waits for it to be told."""

    said: list[Event | str] = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def link(self, port: int = 0, strangers: Limits = STRANGERS) -> EventLink:
        return EventLink(
            "127.0.0.1",
            port,
            "asterisk",
            "secret",
            on_connect=lambda: self.take("connected"),
            on_event=self.take,
            on_disconnect=lambda: self.take("disconnected"),
            strangers=strangers,
        )

    def take(self, what: Event | str) -> None:
        self.said.append(what)
        self._changed.set()

    async def hear(self, *expected: str) -> None:
        """Wait until exactly this has been said, events by their type."""
        async with asyncio.timeout(PATIENCE):
            while self.words != list(expected):
                self._changed.clear()
                await self._changed.wait()

    @property
    def words(self) -> list[str]:
        return [what if isinstance(what, str) else type(what).__name__ for what in self.said]


def url(link: EventLink) -> str:
    return f"ws://127.0.0.1:{link.port}/ari"


@dataclass
class CallServices:
    """An engine reduced to its edge: commands, events, and the calls that came in."""

    client: Client
    dispatcher: Dispatcher
    events: list[Event]
    calls: "asyncio.Queue[StasisStart]"
    app: str

    async def settle(self) -> None:
        """Wait until all that Asterisk has said so far is here."""
        await marker(self.client, self.dispatcher, self.app, PATIENCE)


@asynccontextmanager
async def services_at(endpoint: Endpoint) -> AsyncIterator[CallServices]:
    calls: asyncio.Queue[StasisStart] = asyncio.Queue()
    dispatcher = Dispatcher(calls.put_nowait)
    events: list[Event] = []
    connected = asyncio.Event()

    def take(event: Event) -> None:
        events.append(event)
        dispatcher.dispatch(event)

    host, _, port = endpoint.events_address.rpartition(":")
    async with (
        Client(endpoint.ari_url, endpoint.ari_user, endpoint.ari_password) as client,
        EventLink(
            host,
            int(port),
            endpoint.events_user,
            endpoint.events_password,
            on_connect=connected.set,
            on_event=take,
            on_disconnect=connected.clear,
            closing=lambda: silence(client, endpoint.app),
        ),
        asyncio.timeout(2 * PATIENCE),
    ):
        await connected.wait()
        await client.asterisk.set_global_var("ENGINE_ALIVE", str(int(time.time() + PATIENCE)))
        yield CallServices(client, dispatcher, events, calls, endpoint.app)
