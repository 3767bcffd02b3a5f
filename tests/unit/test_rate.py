"""`rate`: one caller may come to a number so often in some minutes."""

from typing import Any

import pytest

from dialplan.caller import UNKNOWN, WITHHELD, Caller, Presentation
from dialplan.rehearse import rehearse
from engine.caller_rates import MOST_CALLERS, CallerRates
from storage.retracing import retrace
from tests.unit.cel_events import started
from tests.unit.fake_services import FakeCallServices, attend
from tests.unit.fakes import FakeLine
from tests.unit.routes import Raw, service_number
from tests.unit.stories import terms_of
from tests.unit.test_past_call import past
from tests.unit.test_walk import TUESDAY_10

ROUTE: list[Raw] = [
    {"rate": {"calls": "2", "minutes": "5", "full": [{"announce": "too-often"}]}},
    {"announce": "welcome"},
]
ANN, BEN = (Caller(Presentation.SHOWN, number) for number in ("+4915123456789", "+4915123456780"))


async def heard(services: FakeCallServices, *callers: Caller) -> list[str]:
    prompts = []
    for n, caller in enumerate(callers):
        line = FakeLine(call_id=f"0199-{services.shift}-{n}", caller=caller)
        await attend(line, services.for_another_call())
        prompts.append(line.heard[0])
    return prompts


@pytest.mark.looptime
async def test_a_call_too_many_takes_the_other_steps_and_does_not_count() -> None:
    services = FakeCallServices(terms_of(ROUTE))
    assert await heard(services, ANN, ANN, ANN, ANN, BEN) == [
        "welcome",
        "welcome",
        "too-often",
        "too-often",
        "welcome",
    ]
    services.shift = 301
    assert await heard(services, ANN, ANN, ANN) == ["welcome", "welcome", "too-often"]


@pytest.mark.looptime
@pytest.mark.parametrize("caller", [WITHHELD, UNKNOWN])
async def test_a_caller_without_a_number_goes_on(caller: Caller) -> None:
    assert await heard(FakeCallServices(terms_of(ROUTE)), *[caller] * 5) == ["welcome"] * 5


@pytest.mark.looptime
async def test_without_other_steps_it_is_busy() -> None:
    services = FakeCallServices(terms_of([{"rate": "1"}, {"announce": "welcome"}]))
    assert await heard(services, ANN, ANN) == ["welcome", "hung up: busy"]


def test_nothing_in_memory_is_a_callers_number_and_the_memory_is_bounded() -> None:
    rates, state = CallerRates(), started()
    for n in range(MOST_CALLERS + 5):
        state.caller = f"+32470{n:06d}"
        assert rates.may_call(state, (), 1, 60, 0)
    assert not rates.may_call(state, (), 1, 60, 59)
    assert rates.may_call(state, (), 1, 60, 60)
    memory: dict[bytes, Any] = rates._came
    assert len(memory) == MOST_CALLERS
    assert not [name for name in memory if b"+32470" in name]


@pytest.mark.parametrize(("nth", "hears"), [(2, "welcome"), (3, "too-often")])
def test_explain_supposes_the_nth_call(nth: int, hears: str) -> None:
    number = service_number(ROUTE)
    assert rehearse(number, number.facts(TUESDAY_10, ANN), nth=nth).hears == (hears,)


def test_a_past_call_is_explained_by_its_choice() -> None:
    record = past("busy", choices=("over limit",))
    assert retrace(record, service_number(ROUTE)).result == "busy"
