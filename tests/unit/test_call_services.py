"""What is appended for calls: to the journal at once, in counters and log a moment later."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from dialplan.result import Result
from engine.call_services import REPORT_SECONDS, CallMetrics, NodeCallServices, log_entry
from engine.metrics import EngineMetrics
from engine.node_memory import NodeMemory
from engine.routing_store import RoutingStore
from journal.entries import Answered, CallEnded, CallStarted, Entry, Heartbeat, LegStarted, MessageStarted
from journal.writer import Journal

AT = datetime(2026, 11, 27, 8, tzinfo=UTC)
START = CallStarted("a", AT, "+3270012345", "acme", False, "node", "node-1", "+32470111222")


class FakeJournal:
    """A journal that remembers its entries."""

    degraded = False

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def append(self, entry: Entry) -> asyncio.Future[None]:
        self.entries.append(entry)
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        written.set_result(None)
        return written


def services_with(journal: FakeJournal, metrics: EngineMetrics) -> NodeCallServices:
    store = cast(RoutingStore, None)
    return NodeCallServices(
        "node",
        store,
        cast(Journal, journal),
        call_metrics=CallMetrics(metrics, {}),
        longest=timedelta(hours=4),
        recordings=Path("/"),
        memory=NodeMemory.of(Path("/nowhere"), {}, 3),
    )


def live(metrics: EngineMetrics) -> float:
    return metrics.registry.get_sample_value("callengine_calls_live") or 0


@pytest.mark.looptime
async def test_counters_and_log_wait_until_the_call_is_under_way_and_the_journal_does_not() -> None:
    journal, metrics = FakeJournal(), EngineMetrics()
    with capture_logs() as told:
        await services_with(journal, metrics).append(START)
        assert (journal.entries, live(metrics), told) == ([START], 0, [])
        await asyncio.sleep(REPORT_SECONDS)
        assert live(metrics) == 1
    assert [(line["event"], line["call"]) for line in told] == [("call_started", "a")]
    assert "32470111222" not in str(told)


async def test_at_the_end_nothing_is_left_unreported() -> None:
    metrics = EngineMetrics()
    services = services_with(FakeJournal(), metrics)
    services.append(START)
    services.report()
    assert live(metrics) == 1


class Abacus(EngineMetrics):
    """One whose counter of calls is broken."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = None  # type: ignore[assignment]


async def test_an_entry_that_cannot_be_counted_stops_neither_the_call_nor_the_others() -> None:
    journal, metrics = FakeJournal(), Abacus()
    services = services_with(journal, metrics)
    told: list[Entry] = [START, CallEnded("a", AT, Result.BUSY, "engine", 17), replace(START, call="b")]
    for entry in told:
        await services.append(entry)
    with capture_logs() as lines:
        services.report()
    assert journal.entries == told
    assert live(metrics) == 1
    assert [line["event"] for line in lines] == ["call_started", "entry_not_counted", "call_started"]


def test_calls_left_by_an_earlier_engine_that_cannot_be_counted_keep_no_engine_from_starting() -> None:
    broken = replace(START, call=cast(str, []))
    with capture_logs() as lines:
        call_metrics = CallMetrics(EngineMetrics(), {"a": [broken], "b": [replace(START, call="b")]})
    call_metrics.count(CallEnded("b", AT, Result.BUSY, "engine", 17))
    assert [(line["event"], line["call"]) for line in lines] == [("entry_not_counted", "a")]


def sample(metrics: EngineMetrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"callengine_{name}", labels)


def test_a_call_is_counted_by_what_the_journal_tells_of_it() -> None:
    metrics = EngineMetrics()
    call_metrics = CallMetrics(metrics, {"old": [replace(START, call="old")]})
    told: list[Entry] = [
        START,
        LegStarted("a", AT + timedelta(seconds=0.2), "a-b1", "+3221112233"),
        LegStarted("a", AT + timedelta(seconds=9), "a-b2", "+3221112233"),
        Answered("a", AT + timedelta(seconds=3)),
    ]
    for entry in [*told, *told]:  # twice, as by a reader of CEL that lost its last position
        call_metrics.count(entry)
    assert live(metrics) == 2
    for until, seconds in (("dialled", 0.2), ("answered", 3.0)):
        assert sample(metrics, "setup_seconds_sum", until=until) == pytest.approx(seconds)
        assert sample(metrics, "setup_seconds_count", until=until) == 1
    for _ in range(2):
        call_metrics.count(CallEnded("a", AT + timedelta(seconds=60), Result.ANSWERED, "caller", 16))
    assert live(metrics) == 1
    assert sample(metrics, "calls_total", outcome="answered") == 1


def test_the_log_names_neither_the_caller_nor_where_a_message_goes() -> None:
    with capture_logs() as told:
        log_entry(replace(START, missed={"to": ["office@acme.example"]}))
        log_entry(MessageStarted("a", AT, "a-vm1", {"to": ["office@acme.example"]}))
        log_entry(Heartbeat(AT))
    assert [line["event"] for line in told] == ["call_started", "message_started"]
    assert told[0]["number"] == "+3270012345"
    assert "32470111222" not in str(told)
    assert "office@acme.example" not in str(told)
