"""The metrics that every process has. Each has its own registry, so that tests never share a metric."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.metrics_core import CounterMetricFamily
from prometheus_client.registry import Collector

from process.log import lines_dropped
from process.systemd import reported_to_systemd

LAG_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)


class Metrics:
    """Metrics of the process's resources and event loop. Units are seconds and bytes."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.loop_lag_seconds = self.histogram(
            "loop_lag_seconds", "How late the event loop woke up", LAG_BUCKETS
        )
        ProcessCollector(registry=self.registry)
        self.registry.register(DroppedLines())

    def render(self) -> bytes:
        """The text that Prometheus scrapes."""
        return generate_latest(self.registry)

    def counter(self, name: str, documentation: str, labels: Sequence[str]) -> Counter:
        return Counter(name, documentation, labels, namespace="callengine", registry=self.registry)

    def gauge(self, name: str, documentation: str, labels: Sequence[str] = ()) -> Gauge:
        return Gauge(name, documentation, labels, namespace="callengine", registry=self.registry)

    def histogram(
        self, name: str, documentation: str, buckets: Sequence[float], labels: Sequence[str] = ()
    ) -> Histogram:
        return Histogram(
            name, documentation, labels, namespace="callengine", buckets=buckets, registry=self.registry
        )


class DroppedLines(Collector):
    """Reads the count from the log: dropping a line must not take a metric's lock."""

    def collect(self) -> Iterator[CounterMetricFamily]:
        yield CounterMetricFamily(
            "callengine_log_lines_dropped",
            "Log lines that were dropped, because they could not be written in time",
            value=lines_dropped(),
        )


async def watch_loop(
    metrics: Metrics, every: float = 0.25, clock: Callable[[], float] = time.monotonic
) -> None:
    """Observe until cancelled how late the event loop wakes up: what one blocking call costs all others.

    Report to systemd that the process is ready, then that its loop runs.
    """
    with reported_to_systemd() as is_alive:
        while True:
            due = clock() + every
            is_alive()
            await asyncio.sleep(every)
            metrics.loop_lag_seconds.observe(max(clock() - due, 0))
