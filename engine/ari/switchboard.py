"""Where calls come in: one task per call, the engine's sign of life for the dialplan, and taking over."""

import asyncio
from collections.abc import Awaitable, Container, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import structlog

from engine.ari import takeover
from engine.ari.arrival import Arrival, arrival, fallen_back, overlooked
from engine.ari.cel import CelEvent
from engine.ari.cel_reader import CelReader
from engine.ari.client import Client
from engine.ari.connect import dialled
from engine.ari.dispatcher import Dispatcher
from engine.ari.errors import AriError
from engine.ari.events import UNUSED, Event, StasisStart
from engine.ari.exchange import Exchange, let_go
from engine.ari.line import AriLine
from engine.ari.link import marker
from engine.ari.live import Live
from engine.call import CallJournal, Desk, begin
from engine.handle import handle
from journal.entries import Entry, FellBack, Heartbeat
from journal.state import fold

log = structlog.get_logger()

MARKER_SECONDS = 5.0
# The dialplan takes calls to their fallback when this sign of life is older than 5 s. A call that ends with
# Asterisk and engine together is billed until the last one.
ALIVE_EVERY_SECONDS = 0.5
RETRY_SECONDS = 1.0
# CEL is read within milliseconds. A disk that hangs keeps no call that comes in.
DRAINED_SECONDS = 5.0


class Unfit(Exception):
    """This Asterisk cannot serve us as it is."""


class Setting(Protocol):
    """What the process does around the calls (engine.service)."""

    async def inspect(self) -> list[str]:
        """Why this Asterisk will not do; asked once, before the first call."""

    async def renew(self) -> None:
        """Renew what Asterisk keeps for us. Awaited at every connection, before calls are taken."""


@dataclass(frozen=True, slots=True)
class Trunk:
    """The application that calls come to, where a number is dialled, and its country's calling code or "".

    `music`: the classes of music on hold that Asterisk has, now.
    """

    app: str
    endpoint: str
    country: str = ""
    music: Container[str] = ()


@dataclass(frozen=True, slots=True)
class Cel:
    """The file that cel_custom.conf writes; `kept`: how far it was read; `first`: this engine is new here."""

    file: Path
    kept: Path
    first: bool


class Switchboard:
    """`unfinished`: by call id, the journal's entries of calls that an earlier engine has left to us.

    `last_known`: the last instant of Asterisk's clock that the journal knows.
    """

    def __init__(
        self,
        client: Client,
        desk: Desk,
        setting: Setting,
        trunk: Trunk,
        *,
        cel: Cel,
        unfinished: Mapping[str, Sequence[Entry]],
        last_known: datetime,
    ) -> None:
        dispatcher = Dispatcher(self._on_call)
        self.exchange = Exchange(client, dispatcher, last_known, trunk.app, trunk.endpoint, music=trunk.music)
        self.cel = CelReader(cel.file, cel.kept, self.take, first=cel.first)
        self.ready = False
        self.refusals: list[str] = []
        self._desk = desk
        self._setting = setting
        self._country = trunk.country
        self._unfinished = dict(unfinished)
        self._lives: dict[str, Live] = {}
        self._calls: set[asyncio.Task[None]] = set()
        self._care: asyncio.Task[None] | None = None
        self._known = asyncio.Event()  # which calls there are
        self._settled = False
        self._inspected = False

    @property
    def live(self) -> int:
        """Calls going on now."""
        return len(self._lives)

    @property
    def routings(self) -> frozenset[str]:
        """The routing versions that these calls began under, by digest."""
        left = (fold(entries).routing for entries in self._unfinished.values())
        return frozenset(left) | {live.journal.state.routing for live in self._lives.values()}

    # What the event link says.

    def connected(self) -> None:
        """Hold what is new until it is known which calls there are."""
        self.exchange.dispatcher.hold()
        self._care = asyncio.create_task(self._look_after())

    def disconnected(self) -> None:
        self.ready = self._settled = False
        if self._care is not None:
            self._care.cancel()

    def heard(self, event: Event) -> None:
        if self._settled:
            self.exchange.last_known = event.at
        self.exchange.dispatcher.dispatch(event)

    async def detach(self) -> None:
        """Leave every call to Asterisk and to the engine that comes after this one."""
        self.exchange.detached = True
        for task in self._calls:
            task.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)

    # What CEL says.

    async def take(self, events: Sequence[CelEvent]) -> None:
        """Note what these events amount to; returns when that is on the disk."""
        await self._known.wait()
        written: Awaitable[None] | None = None
        for event in events:
            live = self._lives.get(event.call) or self._fallen_back(event)
            if live is not None:
                written = live.take(event) or written
        if written is not None:
            await written

    def _fallen_back(self, event: CelEvent) -> Live | None:
        """A call that no journal knows: Asterisk has it, at the number's fallback.

        Or in a ring that an engine handed over and did not live to write down.
        """
        if event.kind not in ("FALLBACK", "RING") or "dialled" not in event.extra:
            return None
        came = fallen_back(event, self._country, self._desk.node)
        live = self._take_call(came)
        if event.kind == "RING":
            to = tuple(number for _, number in dialled(event.extra.get("to", "")))
            live.journal.note(FellBack(came.call_id, event.at, to))
        log.info("call_without_engine", call=came.call_id)
        return live

    # One connection.

    async def _look_after(self) -> None:
        while True:
            try:
                await self._settle()
                await self._stay_alive()
            except Unfit:
                pass  # logged already; whoever mends it need not restart us
            except (AriError, TimeoutError) as trouble:
                log.warning("asterisk_unsettled", error=str(trouble) or "its events do not come back")
            self.ready = False
            await asyncio.sleep(RETRY_SECONDS)

    async def _settle(self) -> None:
        """Know which calls there are: those of the journal, those of the backlog, and those nobody knows."""
        client, dispatcher, app = self.exchange.client, self.exchange.dispatcher, self.exchange.app
        asterisk = await client.wait_until_ready(seconds=60)
        await self._inspect()
        await client.applications.filter(app, UNUSED)
        dispatcher.hold()
        asked = await marker(client, dispatcher, app, MARKER_SECONDS)  # behind it, the backlog is complete
        await self._setting.renew()
        there = await client.applications.get(app)
        unfinished, self._unfinished = self._unfinished, {}
        ours = list(self._lives.values())
        left = [live for entries in unfinished.values() if (live := self._left_to_us(entries))]
        dispatcher.release()
        self._known.set()
        await self._drain_cel()
        await self._look_for([live for live in ours if live.line.entered < asked], asterisk.started)
        await self._look_for(left, asterisk.started, left_to_us=True)
        for live in left:
            self._start(live, takeover.resume(live.line, live.journal))
        for channel in await takeover.strays(self.exchange, there, frozenset(self._lives)):
            self._take_call(overlooked(channel, self._country, self._desk.node))
        self._settled = True

    async def _inspect(self) -> None:
        if not self._inspected:
            self.refusals = await self._setting.inspect()
            for refusal in self.refusals:
                log.critical("asterisk_refused", why=refusal)
            if self.refusals:
                raise Unfit
            self._inspected = True

    async def _drain_cel(self) -> None:
        try:
            async with asyncio.timeout(DRAINED_SECONDS):
                await self.cel.drained()
        except TimeoutError:
            log.warning("cel_not_drained", remedy="see cel_unreadable; calls may be recorded as lost")

    async def _stay_alive(self) -> None:
        """Say that we are here, twice a second, for as long as Asterisk's events come back."""
        exchange = self.exchange
        while True:
            at = await marker(exchange.client, exchange.dispatcher, exchange.app, MARKER_SECONDS)
            if self._lives:
                self._desk.note(Heartbeat(at))
            await exchange.client.asterisk.set_global_var("ENGINE_ALIVE", str(int(at.timestamp())))
            self.ready = True  # not before: Asterisk would still take a call to its fallback
            await asyncio.sleep(ALIVE_EVERY_SECONDS)

    async def _look_for(self, lives: Sequence[Live], started: datetime, *, left_to_us: bool = False) -> None:
        """Ask Asterisk where these calls are."""
        await asyncio.gather(
            *(takeover.look(live.line, live.journal.state, started, left_to_us=left_to_us) for live in lives)
        )

    # One call.

    def _on_call(self, event: StasisStart) -> None:
        self._take_call(arrival(event, self._country, self._desk.node))

    def _take_call(self, came: Arrival) -> Live:
        """Give the call a task of its own; it is listened to before the next event is read."""
        agreed = self._desk.agreed(came.dialled)
        line = AriLine(self.exchange, came)
        live = self._listen(line, begin(line, agreed, self._desk))
        self._start(live, handle(line, agreed, live.journal))
        return live

    def _left_to_us(self, entries: Sequence[Entry]) -> Live | None:
        """A call that an earlier engine has left: listened to, and not gone on with yet."""
        try:
            state = fold(entries)
            live = self._listen(takeover.line_of(self.exchange, state), CallJournal(self._desk, state))
        except Exception:  # one call that cannot be read keeps no other from being taken
            log.exception("call_unreadable", call=entries[0].call if entries else "")
            return None
        takeover.listen(live.line, live.journal, live.ears)
        return live

    def _listen(self, line: AriLine, journal: CallJournal) -> Live:
        live = self._lives[line.id] = Live(line, journal)
        live.listen()
        return live

    def _start(self, live: Live, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(self._attend(live, work))
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)

    async def _attend(self, live: Live, work: Coroutine[Any, Any, None]) -> None:
        line = live.line
        with live.ears, structlog.contextvars.bound_contextvars(call=line.call_id):
            try:
                await work
            except Exception:
                await let_go(self.exchange.client.channels.hangup(line.id))
                log.exception("call_lost_its_task")
            finally:
                del self._lives[line.id]
