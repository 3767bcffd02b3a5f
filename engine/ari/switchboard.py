"""Where calls come in: one task per call, the engine's sign of life for the dialplan, and taking over."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

import structlog

from engine.ari.arrival import Arrival, arrival, journalled, overlooked
from engine.ari.channel import Channel
from engine.ari.client import Client
from engine.ari.dispatcher import Dispatcher
from engine.ari.errors import AriError
from engine.ari.events import UNUSED, Event, Kind, StasisStart
from engine.ari.exchange import Exchange, let_go
from engine.ari.line import AriLine
from engine.ari.link import marker
from engine.ari.takeover import strays, take_over
from engine.call import Desk
from engine.handle import handle
from journal.entries import Entry

log = structlog.get_logger()

MARKER_SECONDS = 5.0
# The dialplan takes calls to their fallback when this sign of life is older than 5 s.
ALIVE_EVERY_SECONDS = 1.0
RETRY_SECONDS = 1.0


class Unfit(Exception):
    """This Asterisk cannot serve us as it is."""


async def nothing_wrong() -> list[str]:
    return []


async def nothing_to_do() -> None:
    pass


class Switchboard:
    """`unfinished`: by call id, the journal's entries of calls that an earlier engine has left to us.

    `inspect` is awaited once, before the first call, and says why this Asterisk will not do (`refusals`).
    `settled` is awaited at every connection, once commands work: what is kept in Asterisk is renewed then.
    """

    def __init__(
        self,
        client: Client,
        desk: Desk,
        *,
        app: str,
        endpoint: str,
        country: str = "",
        unfinished: Mapping[str, Sequence[Entry]],
    ) -> None:
        self.exchange = Exchange(client, Dispatcher(self._on_call), app, endpoint)
        self.ready = False
        self.refusals: list[str] = []
        self.inspect: Callable[[], Awaitable[list[str]]] = nothing_wrong
        self.settled: Callable[[], Awaitable[None]] = nothing_to_do
        self._desk = desk
        self._country = country
        self._unfinished = dict(unfinished)
        self._lines: dict[str, AriLine] = {}
        self._calls: set[asyncio.Task[None]] = set()
        self._care: asyncio.Task[None] | None = None
        self._deaf_since = datetime.now(UTC)
        self._inspected = False

    @property
    def live(self) -> int:
        """Calls going on now."""
        return len(self._lines)

    def attends(self, channel: str) -> bool:
        """Is this the caller's channel of a call that is going on?"""
        return channel in self._lines

    # What the event link says.

    def connected(self) -> None:
        """Hold what is new until it is known which calls there are."""
        self.exchange.dispatcher.hold()
        self._care = asyncio.create_task(self._look_after())

    def disconnected(self) -> None:
        self._deaf_since = datetime.now(UTC)
        self.ready = False
        if self._care is not None:
            self._care.cancel()

    def heard(self, event: Event) -> None:
        self.exchange.dispatcher.dispatch(event)

    async def detach(self) -> None:
        """Leave every call to Asterisk and to the engine that comes after this one."""
        self.exchange.detached = True
        for task in self._calls:
            task.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)

    # One connection.

    async def _look_after(self) -> None:
        while True:
            try:
                await self._settle()
                await self._stay_alive()
            except Unfit:
                pass  # told already; whoever mends it need not restart us
            except (AriError, TimeoutError) as trouble:
                log.warning("asterisk_unsettled", error=str(trouble) or "its events do not come back")
            self.ready = False
            await asyncio.sleep(RETRY_SECONDS)

    async def _settle(self) -> None:
        """Know which calls there are: those of the journal, those of the backlog, and those nobody knows."""
        client, dispatcher, app = self.exchange.client, self.exchange.dispatcher, self.exchange.app
        await client.wait_until_ready(seconds=60)
        await self._inspect()
        await client.applications.filter(app, UNUSED)
        dispatcher.hold()
        asked = await marker(client, dispatcher, app, MARKER_SECONDS)  # behind it, the backlog is complete
        there = await client.applications.get(app)
        unfinished, self._unfinished = self._unfinished, {}
        for entries in unfinished.values():
            self._take(journalled(entries), entries)
        self._lose_all_but(frozenset(there.channel_ids), asked)
        dispatcher.release()
        await self.settled()
        calls = frozenset(line.call_id for line in self._lines.values())
        for channel in await strays(self.exchange, there, frozenset(c.id for c in self._channels()), calls):
            self._take(overlooked(channel, self._country, self._desk.node))

    async def _inspect(self) -> None:
        if not self._inspected:
            self.refusals = await self.inspect()
            for refusal in self.refusals:
                log.critical("asterisk_refused", why=refusal)
            if self.refusals:
                raise Unfit
            self._inspected = True

    async def _stay_alive(self) -> None:
        """Say that we are here, once a second, for as long as Asterisk's events come back."""
        exchange = self.exchange
        while True:
            at = await marker(exchange.client, exchange.dispatcher, exchange.app, MARKER_SECONDS)
            await exchange.client.asterisk.set_global_var("ENGINE_ALIVE", str(int(at.timestamp())))
            self.ready = True  # not before: Asterisk would still take a call to its fallback
            await asyncio.sleep(ALIVE_EVERY_SECONDS)

    def _lose_all_but(self, there: frozenset[str], asked: datetime) -> None:
        """Channels from before we asked that Asterisk does not know, and that never said how they ended."""
        for channel in self._channels():
            if channel.id not in there and channel.came and channel.came < asked:
                channel.lose(self._deaf_since)

    def _channels(self) -> list[Channel]:
        return [channel for line in self._lines.values() for channel in (line, *line.legs, *line.spies)]

    # One call.

    def _on_call(self, event: StasisStart) -> None:
        self._take(arrival(event, self._country, self._desk.node))

    def _take(self, came: Arrival, entries: Sequence[Entry] = ()) -> None:
        """Give the call a task of its own; it is listened to before the next event is read."""
        line = AriLine(self.exchange, came)
        ears = ExitStack()
        ears.enter_context(self.exchange.dispatcher.listen((Kind.CHANNEL, line.id), line.see))
        self._lines[line.id] = line
        work = take_over(line, entries, self._desk, ears) if entries else handle(line, self._desk)
        task = asyncio.create_task(self._attend(line, ears, work))
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)

    async def _attend(self, line: AriLine, ears: ExitStack, work: Coroutine[Any, Any, None]) -> None:
        with ears, structlog.contextvars.bound_contextvars(call=line.call_id):
            try:
                await work
            except Exception:
                log.exception("call_lost_its_task")
                await let_go(self.exchange.client.channels.hangup(line.id))
            finally:
                del self._lines[line.id]
            await line.close()
