"""The wall clock is set while calls are live: their journals say so, before anything that came after."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from journal.entries import CallEnded, CallerLeft, ClockStepped
from journal.state import fold
from process.clock import Clock
from tests.unit.switchboards import (
    AT,
    CALL,
    CHANNEL,
    GOODBYE,
    LEFT,
    NUMBER,
    OFFICE,
    TALK,
    Asterisk,
    at,
    cel,
    comes_in,
    of_call,
    ready,
    services_of,
    serving,
)

pytestmark = pytest.mark.looptime


class Set:
    """A clock that is set; the other one goes on."""

    def __init__(self) -> None:
        self.set = timedelta(0)

    def wall(self) -> int:
        return int((AT + self.set - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1e9)

    def clock(self) -> Clock:
        return Clock(self.wall, lambda: 0)


async def test_each_live_call_hears_that_the_clock_was_set_before_what_came_after(tmp_path: Path) -> None:
    hands, services = Set(), services_of()
    async with serving(tmp_path, Asterisk(left=[CHANNEL]), services, clock=hands.clock()) as board:
        await comes_in(board)
        await board.take(TALK)
        hands.set = timedelta(hours=1)
        later = [cel(it.kind, it.channel, 3600 + 9, **it.extra) for it in GOODBYE]
        await board.take(later)
        await asyncio.sleep(1)
        assert board.clock_steps == 1
    kinds = [type(entry) for entry in of_call(services, CALL)]
    assert kinds.index(ClockStepped) < kinds.index(CallerLeft)
    state = fold(of_call(services, CALL))
    assert state.answered is not None
    assert state.ending is not None
    assert state.steady(state.ending.at) - state.steady(state.answered) == at(9) - at(5.01)


async def test_the_next_engine_hears_of_a_clock_that_was_set_while_none_was_there(tmp_path: Path) -> None:
    hands = Set()
    async with serving(tmp_path, Asterisk(), services_of(), clock=hands.clock()):
        pass
    hands.set, services = timedelta(hours=-1), services_of(*LEFT)
    async with serving(tmp_path, Asterisk(left=[CHANNEL]), services, clock=hands.clock()):
        pass
    async with serving(tmp_path, Asterisk(left=[CHANNEL]), services, clock=hands.clock()):
        pass
    assert services.of(ClockStepped) == [ClockStepped(CALL, at(-3600), AT, -3600.0)]


async def test_a_clock_that_is_watched_is_looked_at(tmp_path: Path) -> None:
    hands, services = Set(), services_of(*LEFT)
    async with serving(tmp_path, Asterisk(left=[CHANNEL]), services, clock=hands.clock()) as board:
        watching = asyncio.create_task(board.watch())
        hands.set = timedelta(seconds=2)
        await asyncio.sleep(1)
        watching.cancel()
    assert [step.seconds for step in services.of(ClockStepped)] == [2.0]


async def test_a_call_after_the_clock_was_set_back_is_of_the_present_asterisk(tmp_path: Path) -> None:
    """Though, as the clock stands now, that has not begun yet."""
    hands, services, asterisk = Set(), services_of(), Asterisk(left=[CHANNEL])
    async with serving(tmp_path, asterisk, services, clock=hands.clock()) as board:
        asterisk.started = at(500)
        board.on_disconnect()
        board.on_connect()
        await ready(board)
        hands.set = timedelta(hours=-1)
        early = cel("FALLBACK", CHANNEL, -3000, dialled=NUMBER, to=OFFICE)
        await board.take([early, *(cel(it.kind, it.channel, -2990, **it.extra) for it in TALK)])
        assert [live.line.id for live in board.calls.present] == [CHANNEL]
        await board.take([cel(it.kind, it.channel, -2900, **it.extra) for it in GOODBYE])
        await asyncio.sleep(60)
    assert [end.outcome for end in services.of(CallEnded)] == ["answered"]
