"""The connection to Asterisk: it is settled first, then calls are taken and a sign of life is given."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime

import structlog

from engine.ari.calls import Calls
from engine.ari.cel_reader import CelReader
from engine.ari.client import Client
from engine.ari.dispatcher import Dispatcher
from engine.ari.errors import AriError
from engine.ari.events import UNUSED, Event, StasisStart
from engine.ari.exchange import Exchange
from engine.ari.left import Left
from engine.ari.resumption import Resumption
from engine.ari.seen import Seen, load, save
from engine.ari.setting import Cel, Setting, Trunk, Unfit
from engine.ari.sign_of_life import SignOfLife
from engine.call_journal import CallHandler, CallServices
from journal.cel import CelEvent
from process.clock import Clock, watch_clock

log = structlog.get_logger()

ALIVE_EVERY_SECONDS = 0.5
RETRY_SECONDS = 1.0
# CEL is read within milliseconds, the CEL of an outage within seconds. A disk that hangs delays no caller
# longer.
STILL_SECONDS = 5.0


class Switchboard:
    """Where calls come in. `ready`: Asterisk's events arrive, and calls are taken. `refusals`: why not.

    `calls`: the live calls. `clock_steps`: how often the wall clock was set.
    """

    def __init__(
        self, client: Client, services: CallServices, handle: CallHandler, setting: Setting, trunk: Trunk, *,
        cel: Cel, left: Left, clock: Clock | None = None,
    ) -> None:  # fmt: skip
        dispatcher = Dispatcher(self._on_call)
        self.exchange = Exchange(
            client,
            dispatcher,
            left.last_known,
            trunk.app,
            trunk.endpoint,
            music=trunk.music,
            domains=trunk.domains,
        )
        self.cel = CelReader(cel.file, cel.kept, self.take, first=cel.first)
        self.ready = False
        self.refusals: list[str] = []
        self.clock_steps = 0
        self._setting, self._country = setting, trunk.country
        self.calls = Calls(
            self.exchange, services, handle, country=trunk.country, ended=left.ended, door=trunk.door
        )
        self._resumption = Resumption(self.exchange, services, handle, self.calls, left)
        self._sign_of_life = SignOfLife(self.exchange, services, lambda: self.live > 0)
        self._clock = clock or Clock()
        self._seen_file = left.seen
        self._seen = load(left.seen)
        self._work: asyncio.Task[None] | None = None
        self._late: asyncio.Task[None] | None = None
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._calls_known = asyncio.Event()
        self._settled = False
        self._inspected = False

    @property
    def live(self) -> int:
        """Number of live calls."""
        return len(self.calls)

    @property
    def unreadable(self) -> int:
        """Number of calls of an earlier engine that this engine cannot continue."""
        return self._resumption.unreadable

    @property
    def routings(self) -> frozenset[str]:
        """The routing versions that the live calls began under, by digest."""
        return self._resumption.routings | self.calls.routings

    async def watch(self) -> None:
        """Watch the clock until cancelled. Raises the error that ended the work on the connection, if any."""
        watching = asyncio.create_task(watch_clock(self._check_clock))
        try:
            await self._failed
        finally:
            watching.cancel()

    # Callbacks of the event link.

    def on_connect(self) -> None:
        """Hold new calls until the existing ones are known."""
        self.exchange.dispatcher.hold()
        self._work = asyncio.create_task(self._work_on_connection())
        self._work.add_done_callback(self._on_work_done)

    def on_disconnect(self) -> None:
        self.ready = self._settled = False
        self._calls_known.clear()  # Asterisk may have restarted, with new channels
        if self._work is not None:
            self._work.cancel()

    def on_event(self, event: Event) -> None:
        self._check_clock()
        if self._settled:
            self.exchange.last_known = event.at
        self.exchange.dispatcher.dispatch(event)

    def _on_call(self, event: StasisStart) -> None:
        self.calls.on_call(event)

    @asynccontextmanager
    async def closing(self) -> AsyncIterator[None]:
        """Close the event link inside this block: Asterisk lets new callers wait for the next engine."""
        was_ready = self.ready
        if self._work is not None:
            self._work.cancel()  # no sign of life after the promise
            await asyncio.wait({self._work})
        async with self._sign_of_life.last(returns=was_ready):
            yield

    async def detach(self) -> None:
        """Leave every call to Asterisk and to the engine that comes after this one."""
        if self._late is not None:
            self._late.cancel()
        await self.calls.detach()

    # CEL.

    async def take(self, events: Sequence[CelEvent]) -> None:
        """Note the entries of these events; return when they are on the disk."""
        await self._calls_known.wait()
        self._check_clock()
        await self.calls.take(events)

    # One connection.

    async def _work_on_connection(self) -> None:
        while True:
            try:
                await self._settle()
                await self._stay_alive()
            except Unfit:
                pass  # it is logged; once Asterisk is repaired, no restart of the engine is needed
            except (AriError, TimeoutError) as error:
                log.warning("asterisk_unsettled", error=str(error) or "its events do not arrive")
            self.ready = False
            await asyncio.sleep(RETRY_SECONDS)

    def _on_work_done(self, work: asyncio.Task[None]) -> None:
        """End the process at an unexpected error: without this task no calls are taken."""
        if not work.cancelled() and (error := work.exception()) and not self._failed.done():
            log.critical("switchboard_failed", exc_info=error)
            self._failed.set_exception(error)

    async def _settle(self) -> None:
        """Find out which calls there are: those in the journal, those in the backlog, and strays."""
        client, dispatcher, app = self.exchange.client, self.exchange.dispatcher, self.exchange.app
        asterisk = await client.wait_until_ready(seconds=60)
        await self._inspect()
        await client.applications.filter(app, UNUSED)
        dispatcher.hold()
        asked = await self._sign_of_life.marker()  # the backlog is complete
        await self._setting.renew()
        app_info = await client.applications.get(app)
        self._add_calls(asterisk.started)
        await self._drain_cel()
        self.calls.end_former()
        await self._resumption.look_for_all(asked, asterisk.started)
        self._resumption.go_on()
        await self._resumption.begin_strays(app_info, self._country)
        self._settled = True

    async def _inspect(self) -> None:
        if not self._inspected:
            self.refusals = await self._setting.inspect()
            for refusal in self.refusals:
                log.critical("asterisk_refused", why=refusal)
            if self.refusals:
                raise Unfit
            self._inspected = True

    def _add_calls(self, started: datetime) -> None:
        """From now on every event finds its call."""
        self._resumption.add()
        before = self._seen
        if before is not None:
            self.calls.past.restarts.remember(before.restarts)
            self.calls.began_again()
            self._compare(before, started)
        self._save(Seen(started, self._clock.offset, self.calls.past.restarts.all))
        self.exchange.dispatcher.release()
        self._calls_known.set()

    def _compare(self, before: Seen, started: datetime) -> None:
        """Find out whether Asterisk has restarted, or the clock was set, since the engine was here."""
        if before.started != started:
            self.calls.begin_again(started)
        elif step := self._clock.since(self.exchange.last_known, before.offset):
            log.warning("clock_stepped", seconds=step.seconds, calls=self.live)
            self.calls.clock_stepped(step)

    def _save(self, now: Seen) -> None:
        if now != self._seen:
            self._seen = now
            save(self._seen_file, now)

    async def _drain_cel(self) -> None:
        """Wait until CEL has been read, or no more of it comes. Calls that come in are taken meanwhile."""
        drained, loop = asyncio.ensure_future(self.cel.drained()), asyncio.get_running_loop()
        taken, until = self.calls.taken, loop.time() + STILL_SECONDS
        try:
            while not drained.done() and loop.time() < until:
                await self._sign_of_life.give()
                await asyncio.wait({drained}, timeout=ALIVE_EVERY_SECONDS)
                if self.calls.taken > taken:
                    taken, until = self.calls.taken, loop.time() + STILL_SECONDS
            if not drained.done():
                log.warning("cel_not_drained", remedy="see cel_unreadable; calls may be recorded as lost")
                self._late = asyncio.create_task(self._end_late())
        finally:
            drained.cancel()

    async def _end_late(self) -> None:
        """End calls of a former Asterisk once CEL has been read after all."""
        await self.cel.drained()
        self.calls.end_former()

    async def _stay_alive(self) -> None:
        """Give a sign of life twice a second, as long as Asterisk's events arrive."""
        while True:
            await self._sign_of_life.give()
            self.ready = True  # not earlier: Asterisk would still take a call to its fallback
            await asyncio.sleep(ALIVE_EVERY_SECONDS)

    # The clock.

    def _check_clock(self) -> None:
        """Note a step of the clock before anything that happened after it."""
        step = self._clock.look()
        if step is None:
            return
        self.clock_steps += 1
        log.warning("clock_stepped", seconds=step.seconds, calls=self.live)
        if self._calls_known.is_set() and self._seen is not None:  # otherwise the settling notes it
            self.calls.clock_stepped(step)
            restarts = self.calls.past.restarts.all
            self._save(replace(self._seen, offset=self._clock.offset, restarts=restarts))
