"""The engine as a process: what it holds from start to stop, each opened when what it needs is there."""

import asyncio
from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import structlog

from config.policy import Policy
from config.settings import Settings
from config.versions import Versions
from engine.ari.client import Client
from engine.ari.door import Door
from engine.ari.left import Left
from engine.ari.link import EventLink, silence
from engine.ari.setting import Cel, Trunk
from engine.ari.switchboard import Switchboard
from engine.call_limits import CallLimits
from engine.call_services import NodeCallServices, Tally
from engine.checks import examine, refusals
from engine.counters import Counters
from engine.disk import DiskWatch
from engine.fallback import FallbackTable
from engine.metrics import EngineMetrics
from engine.music import MusicClasses
from engine.routing_store import RoutingStore
from journal.writer import Journal
from process.health import health, keep_serving
from process.loop import let_nothing_hold_it_up
from process.metrics import watch_loop
from process.signals import told_to_reload, told_to_stop

log = structlog.get_logger()


async def serve(settings: Settings) -> None:
    """Take calls until SIGTERM or SIGINT; then leave those that live to Asterisk and to the next engine.

    Raises ConfigErrors, JournalInUse, PortTaken: what keeps it from starting, with the remedy.
    """
    stop = told_to_stop()
    async with AsyncExitStack() as opened:
        engine = await open_engine(settings, opened)
        let_nothing_hold_it_up()
        # The other way round at the end: no event comes any more, and then the calls are let be.
        opened.push_async_callback(engine.switchboard.detach)
        await opened.enter_async_context(event_link(settings, engine.switchboard))
        await until(
            stop,
            engine.journal.died(),
            keep_serving(engine.health),
            watch_loop(engine.metrics),
            engine.disk.run(),
            engine.switchboard.watch(),
            engine.routing_store.watch(engine.surroundings.renew, engine.live_versions),
            engine.reload_when_told(),
            engine.switchboard.cel.run(),
        )
        log.info("engine stops", calls=engine.switchboard.live)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """engine.ari.setting.Setting: what is done beside the calls at a connection to Asterisk."""

    settings: Settings
    client: Client
    routing_store: RoutingStore
    fallbacks: FallbackTable
    music: MusicClasses

    async def inspect(self) -> list[str]:
        """Why this Asterisk is not fit for calls, with the remedies."""
        return refusals(await examine(self.client.asterisk))

    async def renew(self) -> None:
        """Have Asterisk know the fallbacks and the music of the version in force."""
        await self.fallbacks.publish(self.routing_store.in_force)
        await self.music.publish(self.routing_store.in_force)


@dataclass(frozen=True, slots=True)
class Engine:
    """The parts of a running engine that others look at."""

    settings: Settings
    journal: Journal
    routing_store: RoutingStore
    metrics: EngineMetrics
    client: Client
    switchboard: Switchboard
    surroundings: Surroundings
    disk: DiskWatch

    def troubles(self) -> list[str]:
        """Why the engine cannot take calls now."""
        troubles = [] if self.switchboard.ready else ["Asterisk's events do not arrive"]
        return [*troubles, *self.switchboard.refusals]

    def warnings(self) -> list[str]:
        """What is wrong and keeps no caller from being answered."""
        degraded = ["the journal cannot be written: nothing is durable"] if self.journal.degraded else []
        return [*degraded, *self.disk.warnings]

    def health(self) -> AbstractAsyncContextManager[str]:
        """/metrics, /live and /ready."""
        http = self.settings.http
        return health(http.host, http.engine_port, self.metrics, self.troubles, self.warnings)

    def live_versions(self) -> frozenset[str]:
        """The routing versions that calls began under which are not over."""
        return self.switchboard.routings

    async def reload_when_told(self) -> None:
        """SIGHUP: read the routing folder again, where watching it does not work (a network file system)."""
        told = told_to_reload()
        while True:
            await told.wait()
            told.clear()
            if await self.routing_store.reload():
                await self.surroundings.renew()

    def show(self) -> None:
        """Have the gauges asked when they are scraped: nothing of them runs beside the calls."""
        metrics, journal, store = self.metrics, self.journal, self.routing_store
        metrics.ari_connected.set_function(lambda: self.switchboard.ready)
        metrics.journal_lag_seconds.set_function(lambda: journal.lag)
        metrics.journal_degraded.set_function(lambda: journal.degraded)
        metrics.journal_reserve_bytes.set_function(lambda: journal.reserve)
        metrics.cel_headroom_bytes.set_function(lambda: self.switchboard.cel.headroom)
        metrics.routing_numbers.set_function(lambda: len(store.in_force.numbers))
        metrics.routing_reload_failed.set_function(lambda: store.refused)
        metrics.calls_unreadable.set_function(lambda: self.switchboard.unreadable)
        metrics.clock_steps.set_function(lambda: self.switchboard.clock_steps)


async def open_engine(settings: Settings, opened: AsyncExitStack) -> Engine:
    """Everything but the link by which calls come."""
    is_new = not settings.journal_dir.exists()
    journal = await Journal.open(settings.journal_dir, settings.node, settings.journal.segment_bytes)
    opened.push_async_callback(journal.close)
    ari, metrics = settings.ari, EngineMetrics()
    client = await opened.enter_async_context(
        Client(f"{ari.url}/ari", ari.user, ari.password.get_secret_value())
    )
    music = MusicClasses(settings.asterisk.etc_dir, client)
    routing_store = routing_store_of(settings, music)
    await routing_store.open()
    unfinished = dict(journal.open_calls)
    longest = timedelta(minutes=settings.limits.max_call_minutes)
    counters = Counters(settings.state / "counters.json")
    opened.push_async_callback(counters.saved)
    services = NodeCallServices(
        settings.node,
        routing_store,
        journal,
        tally=Tally(metrics, unfinished),
        longest=longest,
        recordings=settings.asterisk.recordings,
        counters=counters,
        limits=CallLimits(unfinished),
    )
    opened.callback(services.tell)
    fallbacks = FallbackTable(settings.asterisk.etc_dir, client, settings.country)
    surroundings = Surroundings(settings, client, routing_store, fallbacks, music)
    door = Door(settings.limits.same_caller, lambda why: metrics.refused.labels(why).inc())
    switchboard = Switchboard(
        client,
        services,
        surroundings,
        Trunk(ari.app, settings.asterisk.trunk, settings.country, music.known, door),
        cel=Cel(settings.asterisk.cel, settings.state / "cel.json", first=is_new),
        left=Left(
            unfinished,
            journal.ended,
            journal.last_known or datetime.now(UTC),
            settings.state / "asterisk.json",
        ),
    )
    disk = DiskWatch(folders(settings), metrics)
    engine = Engine(settings, journal, routing_store, metrics, client, switchboard, surroundings, disk)
    engine.show()
    return engine


def folders(settings: Settings) -> dict[str, Path]:
    """The folders that calls are written to."""
    asterisk = settings.asterisk
    return {"state": settings.state, "recordings": asterisk.recordings, "cel": asterisk.cel.parent}


def routing_store_of(settings: Settings, music: MusicClasses) -> RoutingStore:
    """Not opened yet. Asterisk is told the music of a version before that goes into force."""
    return RoutingStore(
        settings.routing,
        Versions(settings.routing_versions),
        settings.prompts_dir,
        Policy(settings.destinations.countries),
        timedelta(days=settings.history_days),
        prepare=music.publish,
    )


def event_link(settings: Settings, switchboard: Switchboard) -> EventLink:
    ari = settings.ari
    return EventLink(
        ari.events_host,
        ari.events_port,
        ari.events_user,
        ari.events_password.get_secret_value(),
        on_connect=switchboard.connected,
        on_event=switchboard.heard,
        on_disconnect=switchboard.disconnected,
        closing=lambda: silence(switchboard.exchange.client, switchboard.exchange.app),
    )


async def until(stop: asyncio.Event, *watches: Coroutine[Any, Any, None]) -> None:
    """Run the watches until told to stop; an error of one ends them all, and is raised."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(watch) for watch in watches]
        await stop.wait()
        for task in tasks:
            task.cancel()
