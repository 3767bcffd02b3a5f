"""The machine's clock is set, an hour forward or back, in the middle of calls: what they are billed."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from devkit.carrier import Answers
from tests.lateness import late
from tests.live.clock import Hands, settable
from tests.live.conversation import Wire, hear_each_other, more_heard
from tests.live.service import House, Service, open_house
from tests.tiers import first_light, heavy

HOUR = 3600
TALKS = 4
NEAR = timedelta(seconds=0.1)
# Where the clock was set, a ring counts from when the engine got the call: on busy cores 0.1 s later.
SET_UP = timedelta(seconds=0.2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clock")


@pytest.fixture(scope="module")
def hands(folder: Path) -> Iterator[Hands]:
    with settable(folder) as hands:
        yield hands


@pytest.fixture(scope="module")
def house(folder: Path, hands: Hands) -> Iterator[House]:
    """A service of its own, on a clock of its own."""
    with open_house(folder) as running:
        yield running


@pytest.fixture(autouse=True)
def true_time(hands: Hands) -> Iterator[None]:
    hands.set(0)
    yield
    hands.set(0)


@pytest.mark.parametrize("seconds", first_light(HOUR, -HOUR))
async def test_talks_are_billed_by_a_clock_that_nobody_sets(
    service: Service, hands: Hands, wire: Wire, seconds: int
) -> None:
    to = service.destination(Answers(0.5))
    numbers = service.house.agree(*[[{"ring": to}]] * TALKS)
    pairs = []
    for n, number in enumerate(numbers, 1):
        caller = await service.call(number)
        destination = await service.network.picked_up(to, n)
        await hear_each_other(caller, destination)
        pairs.append((caller, destination))
    hands.set(seconds)
    for caller, destination in pairs:
        await asyncio.gather(more_heard(caller, 1), more_heard(destination, 1))
    for caller, _ in pairs:
        assert caller.ending is None
        await caller.hang_up()
        await caller.wait_ended()
    for number, (caller, _) in zip(numbers, pairs, strict=True):
        record = await service.record(number)
        talk = await wire.first(caller, "BYE", "BYE") - await wire.first(caller, "SIP/2.0 200", "INVITE")
        assert (record.outcome, record.ended_by) == ("answered", "caller")
        assert abs(record.talk - talk) < NEAR + late()
        assert record.clock["stepped"] == pytest.approx(seconds, abs=0.5)


async def test_a_ring_in_which_the_clock_is_set_back_lasted_as_long_as_it_did(
    service: Service, hands: Hands, wire: Wire
) -> None:
    number, _ = service.ringing(Answers(2))
    caller = await service.call(number)
    await caller.wait_ringing()
    hands.set(-HOUR)
    await caller.wait_answered()
    await caller.hang_up()
    record = await service.record(number)
    invited, answered = [await wire.first(caller, start, "INVITE") for start in ("INVITE", "SIP/2.0 200")]
    assert record.outcome == "answered"
    assert abs(record.ring - (answered - invited)) < SET_UP + NEAR + late()
    assert record.talk < timedelta(seconds=5)


@heavy
async def test_a_ring_in_which_the_clock_is_set_forward_is_over_for_asterisk_when_it_is_answered(
    service: Service, hands: Hands, wire: Wire
) -> None:
    """Dial() rings by the wall clock: see docs/decisions/018-clock-steps.md. But it lasted no hour."""
    number, _ = service.ringing(Answers(2))
    caller = await service.call(number)
    await caller.wait_ringing()
    hands.set(HOUR)
    assert (await caller.wait_ended()).code == 480
    record = await service.record(number)
    invited, refused = [await wire.first(caller, start, "INVITE") for start in ("INVITE", "SIP/2.0 480")]
    assert record.outcome == "no_answer"
    assert record.ring < refused - invited + NEAR + late()
