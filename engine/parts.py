"""The parts of a running engine: each is opened when the parts that it needs are there."""

from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from config.settings import Settings
from engine.ari.client import Client
from engine.ari.door import Door
from engine.ari.left import NEVER, Left
from engine.ari.setting import Cel, Trunk
from engine.ari.switchboard import Switchboard
from engine.call_services import CallMetrics, NodeCallServices
from engine.disk import DiskWatch
from engine.handle import handle
from engine.metrics import EngineMetrics
from engine.node_memory import NodeMemory
from engine.surroundings import Surroundings
from journal.writer import Journal
from process.health import health


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts that are watched, and what they report of themselves."""

    settings: Settings
    journal: Journal
    metrics: EngineMetrics
    switchboard: Switchboard
    surroundings: Surroundings
    disk: DiskWatch
    door: Door
    memory: NodeMemory

    def troubles(self) -> list[str]:
        """Return why the engine cannot take calls now."""
        troubles = [] if self.switchboard.ready else ["Asterisk's events do not arrive"]
        return [*troubles, *self.switchboard.refusals, *self.door.drain.troubles]

    def warnings(self) -> list[str]:
        """Return what is wrong although callers are answered."""
        degraded = ["the journal cannot be written: nothing is durable"] if self.journal.degraded else []
        around = self.surroundings
        trunks = [
            *around.trunks.warnings, *around.trunk_states.warnings, *around.registrations.warnings
        ]  # fmt: skip
        return [*degraded, *self.disk.warnings, *trunks]

    def health(self) -> AbstractAsyncContextManager[str]:
        """Serve /metrics, /live and /ready."""
        http = self.settings.http
        arguments = (self.metrics, self.troubles, self.warnings)
        return health(http.host, http.engine_port, *arguments, facts=self.facts)

    def facts(self) -> dict[str, object]:
        """Return what /ready says of the routing in force and of the carriers."""
        store = self.surroundings.routing_store
        since = store.since and store.since.isoformat(timespec="seconds")
        routing = {"version": store.in_force.digest, "since": since, "refused": store.refused}
        around = self.surroundings
        return {
            "routing": routing,
            "trunks": around.trunk_states.up,
            "registrations": around.registrations.facts,
        }

    def overview(self) -> dict[str, Any]:
        """Return what `callengine top` shows besides the live calls."""
        return {
            "reasons": self.troubles(),
            "warnings": self.warnings(),
            "journal_lag_seconds": self.journal.lag,
            "refused": self.metrics.refused_counts(),
        }

    def live_versions(self) -> frozenset[str]:
        """Return the routing versions that live calls began under."""
        return self.switchboard.routings

    def show(self) -> None:
        """Give the gauges their sources, which are read when they are scraped: no call is delayed."""
        metrics, journal, store = self.metrics, self.journal, self.surroundings.routing_store
        metrics.ari_connected.set_function(lambda: self.switchboard.ready)
        metrics.trunk_up.set_function(lambda: self.surroundings.trunk_states.up)
        for name in self.surroundings.trunks.names:
            metrics.calls_from.labels(name)  # at 0: rate() does not see the first call of a series
        metrics.registrations.set_function(lambda: self.surroundings.registrations.known)
        metrics.trunks_refused.set_function(lambda: bool(self.surroundings.trunks.errors))
        metrics.drained.set_function(lambda: self.door.drain.is_on)
        metrics.journal_lag_seconds.set_function(lambda: journal.lag)
        metrics.journal_degraded.set_function(lambda: journal.degraded)
        metrics.journal_reserve_bytes.set_function(lambda: journal.reserve)
        metrics.cel_headroom_bytes.set_function(lambda: self.switchboard.cel.headroom)
        metrics.routing_numbers.set_function(lambda: len(store.in_force.numbers))
        metrics.routing_reload_failed.set_function(lambda: store.refused)
        metrics.routing_since.set_function(lambda: (store.in_force.digest, store.since))
        metrics.calls_unreadable.set_function(lambda: self.switchboard.unreadable)
        metrics.switches_on.set_function(self.memory.switches.count)
        metrics.destinations_left_out.set_function(self.memory.destinations.breakers.count)
        metrics.clock_steps.set_function(lambda: self.switchboard.clock_steps)


async def open_parts(settings: Settings, opened: AsyncExitStack) -> Parts:
    """Open everything except the event link, by which calls come."""
    is_new = not settings.journal_dir.exists()
    journal = await Journal.open(settings.journal_dir, settings.node, settings.journal.segment_bytes)
    opened.push_async_callback(journal.close)
    ari, metrics = settings.ari, EngineMetrics()
    client = await opened.enter_async_context(
        Client(f"{ari.url}/ari", ari.user, ari.password.get_secret_value())
    )
    surroundings = Surroundings.of(settings, client)
    await surroundings.routing_store.open()
    unfinished = dict(journal.open_calls)
    memory = NodeMemory.of(settings.state, unfinished, settings.limits.unreachable_in_a_row)
    opened.push_async_callback(memory.counters.saved)
    services = NodeCallServices(
        settings.node,
        surroundings.routing_store,
        journal,
        call_metrics=CallMetrics(metrics, unfinished),
        longest=timedelta(minutes=settings.limits.max_call_minutes),
        recordings=settings.asterisk.recordings,
        memory=memory,
    )
    opened.callback(services.report)
    door = Door.of(settings.limits.same_caller, partial(count_refused, metrics), settings.state / "drained")
    known = journal.last_known or NEVER  # not now: a call that ended with its Asterisk would end now
    switchboard = Switchboard(
        client,
        services,
        handle,
        surroundings,
        trunk_of(settings, surroundings, door),
        cel=Cel(settings.asterisk.cel, settings.state / "cel.json", first=is_new),
        left=Left(unfinished, journal.ended, known, settings.state / "asterisk.json"),
    )
    disk = DiskWatch(folders(settings), metrics)
    parts = Parts(settings, journal, metrics, switchboard, surroundings, disk, door, memory)
    parts.show()
    return parts


def trunk_of(settings: Settings, surroundings: Surroundings, door: Door) -> Trunk:
    music, domains = surroundings.music.known, surroundings.trunks.domains
    return Trunk(settings.ari.app, settings.asterisk.trunk, settings.country, music, door, domains)


def count_refused(metrics: EngineMetrics, why: str) -> None:
    metrics.refused.labels(why).inc()


def folders(settings: Settings) -> dict[str, Path]:
    """Return the folders that calls are written to, by their names in the metrics."""
    asterisk = settings.asterisk
    return {"state": settings.state, "recordings": asterisk.recordings, "cel": asterisk.cel.parent}
