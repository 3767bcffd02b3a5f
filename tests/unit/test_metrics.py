"""What Prometheus is told."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime

import pytest

from dialplan.result import Result
from engine.metrics import EngineMetrics
from process.metrics import Metrics, watch_loop
from worker.metrics import WorkerMetrics


def test_each_outcome_has_its_series_before_the_first_call() -> None:
    told = EngineMetrics().render().decode()
    for outcome in Result:
        assert f'callengine_calls_total{{outcome="{outcome}"}} 0.0' in told


def test_two_processes_in_one_test_never_share_a_number() -> None:
    one, other = EngineMetrics(), EngineMetrics()
    one.calls.labels(Result.BUSY).inc()
    assert 'callengine_calls_total{outcome="busy"} 1.0' in one.render().decode()
    assert 'callengine_calls_total{outcome="busy"} 0.0' in other.render().decode()


def test_setup_times_are_told_apart_by_what_they_ended_in() -> None:
    metrics = EngineMetrics()
    metrics.setup_seconds.labels("dialled").observe(0.004)
    metrics.setup_seconds.labels("answered").observe(7)
    told = metrics.render().decode()
    assert 'callengine_setup_seconds_bucket{le="0.005",until="dialled"} 1.0' in told
    assert 'callengine_setup_seconds_bucket{le="5.0",until="answered"} 0.0' in told


def test_every_gauge_is_there_from_the_start() -> None:
    told = EngineMetrics().render().decode()
    names = "calls_live journal_lag_seconds journal_degraded ari_connected routing_numbers"
    for name in [*names.split(), "routing_reload_failed"]:
        assert f"\ncallengine_{name} 0.0\n" in told
    assert "\ncallengine_drain_backlog_bytes 0.0\n" in WorkerMetrics().render().decode()


def test_a_process_tells_nothing_of_what_another_does() -> None:
    """A worker that said `ari_connected 0` would raise the engine's alarm."""
    assert "ari_connected" not in WorkerMetrics().render().decode()
    assert "drain_backlog" not in EngineMetrics().render().decode()


@pytest.mark.looptime
async def test_a_loop_that_wakes_late_is_seen() -> None:
    """The clock is the test's: asleep at 0 for a quarter of a second, awake at 0.75."""
    metrics = Metrics()
    instants = iter([0.0, 0.75, 1.0])
    with suppress(RuntimeError):  # the end of the test's clock is the end of the watch
        await watch_loop(metrics, every=0.25, clock=lambda: next(instants))
    assert metrics.registry.get_sample_value("callengine_loop_lag_seconds_sum") == 0.5
    assert metrics.registry.get_sample_value("callengine_loop_lag_seconds_count") == 1.0


@pytest.mark.looptime
async def test_watching_ends_with_its_task() -> None:
    metrics = Metrics()
    watch = asyncio.create_task(watch_loop(metrics))
    await asyncio.sleep(1.1)
    watch.cancel()
    with suppress(asyncio.CancelledError):
        await watch
    assert metrics.registry.get_sample_value("callengine_loop_lag_seconds_count") == 4.0


def test_the_version_in_force_is_a_series_and_the_one_before_has_none() -> None:
    metrics, since = EngineMetrics(), datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
    assert "callengine_routing_since_seconds{" not in metrics.render().decode()
    metrics.routing_since.set_function(lambda: ("a" * 64, since))
    metrics.render()
    metrics.routing_since.set_function(lambda: ("b" * 64, since))
    told = [line for line in metrics.render().decode().splitlines() if "routing_since_seconds{" in line]
    assert [line.partition(" ")[0] for line in told] == [
        f'callengine_routing_since_seconds{{version="{"b" * 12}"}}'
    ]
    assert float(told[0].partition(" ")[2]) == since.timestamp()
