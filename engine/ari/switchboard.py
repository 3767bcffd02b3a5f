"""The connection to Asterisk: the engine's sign of life for the dialplan, and taking over what was left."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

import structlog

from engine.ari import takeover
from engine.ari.arrival import overlooked
from engine.ari.calls import Calls
from engine.ari.cel_reader import CelReader
from engine.ari.client import Client
from engine.ari.dispatcher import Dispatcher
from engine.ari.errors import AriError
from engine.ari.events import UNUSED, Event, StasisStart
from engine.ari.exchange import Exchange
from engine.ari.left import Left
from engine.ari.link import marker
from engine.ari.live import Live
from engine.ari.seen import Seen, load, save
from engine.ari.setting import Cel, Setting, Trunk, Unfit
from engine.ari.state import AppInfo
from engine.call import CallServices
from journal.cel import CelEvent
from journal.entries import Heartbeat
from process.clock import Clock, watch_clock

log = structlog.get_logger()

MARKER_SECONDS = 5.0
# The dialplan takes calls to their fallback when this sign of life is older than 5 s. A call that ends with
# Asterisk and engine together is billed until the last one.
ALIVE_EVERY_SECONDS = 0.5
RETRY_SECONDS = 1.0
# CEL is read within milliseconds, what it has of an outage within seconds. A disk that hangs keeps no caller.
STILL_SECONDS = 5.0


class Switchboard:
    """Where calls come in. `unreadable`: calls of an earlier engine that this one cannot go on with.

    `clock_steps`: how often the wall clock was set.
    """

    def __init__(
        self, client: Client, services: CallServices, setting: Setting, trunk: Trunk, *, cel: Cel, left: Left,
        clock: Clock | None = None,
    ) -> None:  # fmt: skip
        dispatcher = Dispatcher(self._on_call)
        self.exchange = Exchange(
            client, dispatcher, left.last_known, trunk.app, trunk.endpoint, music=trunk.music
        )
        self.cel = CelReader(cel.file, cel.kept, self.take, first=cel.first)
        self.ready = False
        self.refusals: list[str] = []
        self.clock_steps = 0
        self._services, self._setting, self._country = services, setting, trunk.country
        self._calls = Calls(self.exchange, services, trunk.country, left.ended, trunk.door)
        self._unfinished, self._unreadable = left.read()
        self.unreadable = len(self._unreadable)
        self._resumed: list[Live] = []  # left to us, and not gone on with yet
        self._clock = clock or Clock()
        self._seen_file = left.seen
        self._seen = load(left.seen)
        self._care: asyncio.Task[None] | None = None
        self._late: asyncio.Task[None] | None = None
        self._broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._known = asyncio.Event()  # which calls there are
        self._settled = False
        self._inspected = False

    @property
    def live(self) -> int:
        """Calls going on now."""
        return len(self._calls)

    @property
    def routings(self) -> frozenset[str]:
        """The routing versions that these calls began under, by digest."""
        return frozenset(state.routing for state in self._unfinished) | self._calls.routings

    async def watch(self) -> None:
        """Watch the clock until cancelled. Raises what has ended the care for the connection, if anything."""
        watching = asyncio.create_task(watch_clock(self._look_at_clock))
        try:
            await self._broken
        finally:
            watching.cancel()

    # What the event link says.

    def connected(self) -> None:
        """Hold what is new until it is known which calls there are."""
        self.exchange.dispatcher.hold()
        self._care = asyncio.create_task(self._look_after())
        self._care.add_done_callback(self._cared)

    def disconnected(self) -> None:
        self.ready = self._settled = False
        self._known.clear()  # Asterisk may have begun again, and its channels with it
        if self._care is not None:
            self._care.cancel()

    def heard(self, event: Event) -> None:
        self._look_at_clock()
        if self._settled:
            self.exchange.last_known = event.at
        self.exchange.dispatcher.dispatch(event)

    def _on_call(self, event: StasisStart) -> None:
        self._calls.on_call(event)

    async def detach(self) -> None:
        """Leave every call to Asterisk and to the engine that comes after this one."""
        if self._late is not None:
            self._late.cancel()
        await self._calls.detach()

    # What CEL says.

    async def take(self, events: Sequence[CelEvent]) -> None:
        """Note what these events amount to; returns when that is on the disk."""
        await self._known.wait()
        self._look_at_clock()
        await self._calls.take(events)

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

    def _cared(self, care: asyncio.Task[None]) -> None:
        """An error that nobody has thought of ends the process: without this care it takes no calls."""
        if not care.cancelled() and (error := care.exception()) and not self._broken.done():
            log.critical("asterisk_care_broken", exc_info=error)
            self._broken.set_exception(error)

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
        self._know(asterisk.started)
        await self._drain_cel()
        self._calls.end_former()
        await self._look_for(asked, asterisk.started)
        self._go_on()
        await self._take_strays(there)
        self._settled = True

    async def _inspect(self) -> None:
        if not self._inspected:
            self.refusals = await self._setting.inspect()
            for refusal in self.refusals:
                log.critical("asterisk_refused", why=refusal)
            if self.refusals:
                raise Unfit
            self._inspected = True

    def _know(self, started: datetime) -> None:
        """Everything that is told from here on finds its call."""
        self._take_what_was_left()
        before = self._seen
        if before is not None and before.started != started:
            self._calls.begin_again(started)
        elif before is not None and (step := self._clock.since(self.exchange.last_known, before.offset)):
            log.warning("clock_stepped", seconds=step.seconds, calls=self.live)
            self._calls.clock_stepped(step)
        self._keep(Seen(started, self._clock.offset))
        self.exchange.dispatcher.release()
        self._known.set()

    def _take_what_was_left(self) -> None:
        states, self._unfinished = self._unfinished, []
        for state in states:
            try:
                self._resumed.append(self._calls.left_to_us(state))
            except Exception:  # one call that cannot be read keeps no other from being taken
                log.exception("call_unreadable", call=state.call_id)
                self._unreadable.append(state.call_id)
                self.unreadable += 1
        unreadable, self._unreadable = self._unreadable, []
        for call_id in unreadable:
            self._calls.set_aside(call_id)

    def _keep(self, now: Seen) -> None:
        if now != self._seen:
            self._seen = now
            save(self._seen_file, now)

    async def _drain_cel(self) -> None:
        """Wait until CEL has been read, or nothing more of it comes. Calls that come in are taken already."""
        drained, loop = asyncio.ensure_future(self.cel.drained()), asyncio.get_running_loop()
        taken, until = self._calls.taken, loop.time() + STILL_SECONDS
        try:
            while not drained.done() and loop.time() < until:
                await self._say_alive()
                await asyncio.wait({drained}, timeout=ALIVE_EVERY_SECONDS)
                if self._calls.taken > taken:
                    taken, until = self._calls.taken, loop.time() + STILL_SECONDS
            if not drained.done():
                log.warning("cel_not_drained", remedy="see cel_unreadable; calls may be recorded as lost")
                self._late = asyncio.create_task(self._end_late())
        finally:
            drained.cancel()

    async def _end_late(self) -> None:
        """Of the calls that are read of later, some may have ended with a former Asterisk too."""
        await self.cel.drained()
        self._calls.end_former()

    async def _look_for(self, asked: datetime, started: datetime) -> None:
        """Ask Asterisk where the calls are that were there before."""
        ours = [live for live in self._calls.present if live not in self._resumed]
        present = set(self._calls.channels)
        left = [live for live in self._resumed if live.line.id in present]
        await asyncio.gather(
            *(self._look(live, started) for live in ours if live.line.entered < asked),
            *(self._look(live, started, left_to_us=True) for live in left),
        )

    async def _look(self, live: Live, started: datetime, *, left_to_us: bool = False) -> None:
        try:
            await takeover.look(live.line, live.journal.state, started, left_to_us=left_to_us)
        except Exception:
            log.exception("call_not_looked_for", call=live.line.call_id)

    def _go_on(self) -> None:
        resumed, self._resumed = self._resumed, []
        for live in resumed:
            self._calls.start(live, takeover.resume(live.line, live.journal))

    async def _take_strays(self, there: AppInfo) -> None:
        for channel in await takeover.strays(self.exchange, there, self._calls.channels):
            self._calls.take_stray(overlooked(channel, self._country, self._services.node))

    async def _stay_alive(self) -> None:
        """Say that we are here, twice a second, for as long as Asterisk's events come back."""
        while True:
            await self._say_alive()
            self.ready = True  # not before: Asterisk would still take a call to its fallback
            await asyncio.sleep(ALIVE_EVERY_SECONDS)

    async def _say_alive(self) -> None:
        exchange = self.exchange
        at = await marker(exchange.client, exchange.dispatcher, exchange.app, MARKER_SECONDS)
        if self.live:
            self._services.note(Heartbeat(at))
        await exchange.client.asterisk.set_global_var("ENGINE_ALIVE", str(int(at.timestamp())))

    # The clock.

    def _look_at_clock(self) -> None:
        """Before anything is noted of what happened after a step, the step itself is."""
        step = self._clock.look()
        if step is None:
            return
        self.clock_steps += 1
        log.warning("clock_stepped", seconds=step.seconds, calls=self.live)
        if self._known.is_set() and self._seen is not None:  # else the settling does it
            self._calls.clock_stepped(step)
            self._keep(Seen(self._seen.started, self._clock.offset))
