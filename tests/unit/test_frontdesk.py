"""What is noted of calls: in the journal at once, in counters and log a moment later."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest
from structlog.testing import capture_logs

from dialplan.result import Result
from engine.frontdesk import TELL_SECONDS, FrontDesk, Tally
from engine.metrics import EngineMetrics
from engine.routing_store import RoutingStore
from journal.entries import CallEnded, CallStarted, Entry
from journal.writer import Journal

AT = datetime(2026, 11, 27, 8, tzinfo=UTC)
START = CallStarted("a", AT, "+3270012345", "acme", False, "node", "node-1.0", "+32470111222")


class Paper:
    """A journal that remembers what was noted."""

    degraded = False

    def __init__(self) -> None:
        self.noted: list[Entry] = []

    def note(self, entry: Entry) -> asyncio.Future[None]:
        self.noted.append(entry)
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        written.set_result(None)
        return written


def front_desk(paper: Paper, metrics: EngineMetrics) -> FrontDesk:
    journal, store = cast(Journal, paper), cast(RoutingStore, None)
    return FrontDesk("node", store, journal, tally=Tally(metrics, {}), longest=timedelta(hours=4),
                     recordings=Path("/"))  # fmt: skip


def live(metrics: EngineMetrics) -> float:
    return float(metrics.calls_live._value.get())


@pytest.mark.looptime
async def test_counters_and_log_wait_until_the_call_is_under_way_and_the_journal_does_not() -> None:
    paper, metrics = Paper(), EngineMetrics()
    with capture_logs() as told:
        await front_desk(paper, metrics).note(START)
        assert (paper.noted, live(metrics), told) == ([START], 0, [])
        await asyncio.sleep(TELL_SECONDS)
        assert live(metrics) == 1
    assert [(line["event"], line["call"]) for line in told] == [("call_start", "a")]
    assert "32470111222" not in str(told)


async def test_at_the_end_nothing_is_left_untold() -> None:
    metrics = EngineMetrics()
    desk = front_desk(Paper(), metrics)
    desk.note(START)
    desk.tell()
    assert live(metrics) == 1
    desk.note(CallEnded("a", AT, Result.BUSY, "engine", 17))
    desk.tell()
    assert live(metrics) == 0
