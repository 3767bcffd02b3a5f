"""What Prometheus is told. Each process has a registry of its own: two in one test never share a number."""

import asyncio
import time
from collections.abc import Callable, Sequence

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

from dialplan.result import Result

# Engine and Asterisk need 3-4 ms from INVITE to the destination's INVITE; an answer takes seconds.
SETUP_BUCKETS = (0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120)
LAG_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)


class Metrics:
    """What every process tells: its resources, its event loop. Units are seconds and bytes."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.loop_lag_seconds = self._histogram(
            "loop_lag_seconds", "How late the event loop woke up", LAG_BUCKETS
        )
        ProcessCollector(registry=self.registry)

    def render(self) -> bytes:
        """The text that Prometheus scrapes."""
        return generate_latest(self.registry)

    def _counter(self, name: str, told: str, labels: Sequence[str]) -> Counter:
        return Counter(name, told, labels, namespace="callengine", registry=self.registry)

    def _gauge(self, name: str, told: str, labels: Sequence[str] = ()) -> Gauge:
        return Gauge(name, told, labels, namespace="callengine", registry=self.registry)

    def _histogram(
        self, name: str, told: str, buckets: Sequence[float], labels: Sequence[str] = ()
    ) -> Histogram:
        return Histogram(name, told, labels, namespace="callengine", buckets=buckets, registry=self.registry)


class EngineMetrics(Metrics):
    """What the engine tells of calls, journal, Asterisk and routing."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = self._counter("calls", "Calls that have ended, by their record's outcome", ["outcome"])
        self.calls_live = self._gauge("calls_live", "Calls going on now")
        self.setup_seconds = self._histogram(
            "setup_seconds",
            "From the call's arrival until the first leg is `dialled` or `answered`",
            SETUP_BUCKETS,
            ["until"],
        )
        self.journal_lag_seconds = self._gauge(
            "journal_lag_seconds", "Age of the oldest entry not yet on the disk"
        )
        self.journal_degraded = self._gauge("journal_degraded", "1 while the journal cannot be written")
        self.ari_connected = self._gauge("ari_connected", "1 while Asterisk's events arrive")
        self.routing_numbers = self._gauge("routing_numbers", "Service numbers in force")
        self.routing_reload_failed = self._gauge(
            "routing_reload_failed",
            "1 while the routing folder has errors and its last good state is in force",
        )
        # A series that begins with its first event hides that event from rate().
        for outcome in Result:
            self.calls.labels(outcome)
        for until in ("dialled", "answered"):
            self.setup_seconds.labels(until)


class WorkerMetrics(Metrics):
    """What the worker tells of draining, of sounds, and of messages."""

    def __init__(self) -> None:
        super().__init__()
        self.drain_backlog_bytes = self._gauge("drain_backlog_bytes", "Journal not yet in PostgreSQL")
        self.journal_damaged = self._gauge(
            "journal_damaged", "Places of the journal, not yet drained at the start, that could not be read"
        )
        self.sounds = self._gauge("sounds", "Messages and recordings in being, by their state", ["state"])
        self.destructions_overdue = self._gauge(
            "destructions_overdue", "Sounds that should have been destroyed a minute ago or more"
        )
        self.messages = self._gauge("messages", "Messages that are not destroyed, by their state", ["state"])
        self.mails = self._counter("mails", "Attempts to hand a mail over, by what came of them", ["result"])
        for result in ("accepted", "later", "refused", "unbuildable"):
            self.mails.labels(result)


async def watch_loop(
    metrics: Metrics, every: float = 0.25, clock: Callable[[], float] = time.monotonic
) -> None:
    """Observe, until cancelled, how late the event loop wakes up: what one blocking call costs all others."""
    while True:
        asked = clock() + every
        await asyncio.sleep(every)
        metrics.loop_lag_seconds.observe(max(clock() - asked, 0))
