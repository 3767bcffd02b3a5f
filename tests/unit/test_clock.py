"""Whether somebody sets the wall clock: a clock for a test to set, and one that only goes on."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

from process.clock import Clock, Step, instant, watch_clock

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
S = 10**9


class Hands:
    """`late`: so many ns pass between two readings, as when another process has its turn; once."""

    def __init__(self) -> None:
        self.passed, self.set, self.late = 0, 0, 0

    def wall(self) -> int:
        shown = int(NOON.timestamp()) * S + self.passed + self.set
        self.passed, self.late = self.passed + self.late, 0
        return shown

    def steady(self) -> int:
        return 77 * S + self.passed

    def clock(self) -> Clock:
        return Clock(self.wall, self.steady)


@pytest.fixture
def hands() -> Hands:
    return Hands()


def test_time_that_passes_is_no_step(hands: Hands) -> None:
    looked = hands.clock()
    for _ in range(100):
        hands.passed += 3600 * S
        assert looked.look() is None


@pytest.mark.parametrize("seconds", [3600, -3600, 0.5, -0.5, 0.02])
def test_a_step_is_seen_once_between_the_two_looks(hands: Hands, seconds: float) -> None:
    looked = hands.clock()
    hands.passed += S
    assert looked.look() is None
    hands.passed += S
    hands.set += round(seconds * S)
    before, at = NOON + timedelta(seconds=1), NOON + timedelta(seconds=2 + seconds)
    assert looked.look() == Step(before, at, seconds)
    hands.passed += S
    assert looked.look() is None


def test_two_steps_are_two(hands: Hands) -> None:
    looked = hands.clock()
    steps = []
    for seconds in (3600, -3600):
        hands.set += seconds * S
        steps.append(looked.look())
    assert [step and step.seconds for step in steps] == [3600, -3600]


def test_a_process_that_stands_still_between_two_readings_sees_no_step(hands: Hands) -> None:
    looked = hands.clock()
    hands.late = 5 * S
    assert looked.look() is None


def test_what_happened_since_an_engine_before_is_seen_too(hands: Hands) -> None:
    noted = hands.clock().offset
    hands.passed += 60 * S
    hands.set -= 3600 * S
    looked = hands.clock()
    assert looked.since(NOON, noted) == Step(NOON, NOON + timedelta(seconds=60 - 3600), -3600)
    assert looked.since(NOON, looked.offset) is None


def test_the_machines_own_clocks_agree() -> None:
    looked = Clock()
    assert looked.look() is None
    assert abs(instant(time.time_ns()) - datetime.now(UTC)) < timedelta(seconds=5)


@pytest.mark.looptime
async def test_it_is_looked_at_four_times_a_second() -> None:
    looks: list[float] = []
    loop = asyncio.get_running_loop()
    watching = asyncio.create_task(watch_clock(lambda: looks.append(loop.time())))
    await asyncio.sleep(10)
    watching.cancel()
    assert len(looks) == 40
