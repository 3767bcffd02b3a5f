"""A destination that could not be reached several times in a row is left out for a while."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from dialplan.caller import UNKNOWN
from dialplan.rehearse import Rehearsal, rehearse
from dialplan.result import Outcome
from engine.breakers import FIRST_SECONDS, LONGEST_SECONDS, TRY_SECONDS, Breakers
from engine.node_memory import NodeMemory
from tests.unit.fake_dial import Answers, Says
from tests.unit.fake_services import FakeCallServices, attend, leave_after, take_over
from tests.unit.fakes import FakeLine
from tests.unit.routes import service_number
from tests.unit.stories import terms_of
from tests.unit.test_walk import TUESDAY_10

A, B, C = "+3221112244", "+3221112255", "+3221112266"
GONE = Outcome.UNREACHABLE


def opened(*, at: float = 0, most: int = 3) -> Breakers:
    breakers = Breakers(most)
    for _ in range(most):
        breakers.attempted(A, GONE, at)
    return breakers


def test_it_is_left_out_after_so_many_in_a_row() -> None:
    breakers = Breakers(3)
    with capture_logs() as logs:
        for n in range(3):
            assert breakers.left_out([A, B], n) == ()
            breakers.attempted(A, GONE, n)
    assert breakers.left_out([A, B], 3) == (A,)
    assert breakers.left_out([B], 3) == ()
    assert breakers.count() == 1
    assert [(line["event"], line["to"]) for line in logs] == [("destination_unreachable", A)]


@pytest.mark.parametrize(
    "there", [Outcome.BUSY, Outcome.NO_ANSWER, Outcome.REJECTED, Outcome.TAKEN], ids=lambda it: it.value
)
def test_any_sign_of_life_closes_it(there: Outcome) -> None:
    breakers = Breakers(3)
    for outcome in (GONE, GONE, there, GONE, GONE):
        breakers.attempted(A, outcome, 0)
    assert not breakers.any_open
    breakers.attempted(A, GONE, 0)
    assert breakers.any_open
    with capture_logs() as logs:
        breakers.attempted(A, there, 9)
    assert breakers.left_out([A], 9) == ()
    assert [line["event"] for line in logs] == ["destination_reachable"]


def test_a_failure_of_our_own_says_nothing() -> None:
    breakers = Breakers(3)
    for outcome in (GONE, Outcome.FAILED, GONE, Outcome.FAILED, GONE):
        breakers.attempted(A, outcome, 0)
    assert breakers.any_open


def test_one_call_tries_it_again_while_the_others_still_leave_it_out() -> None:
    breakers = opened()
    assert breakers.left_out([A], FIRST_SECONDS - 1) == (A,)
    assert breakers.left_out([A], FIRST_SECONDS) == ()
    assert breakers.left_out([A], FIRST_SECONDS) == (A,)
    assert breakers.left_out([A], FIRST_SECONDS + TRY_SECONDS) == ()  # that call never came to it


def test_the_time_until_the_next_try_doubles_up_to_a_limit() -> None:
    breakers, now, waits = opened(), 0.0, []
    for _ in range(8):
        since = now
        while breakers.left_out([A], now):
            now += 1
        waits.append(now - since)
        breakers.attempted(A, GONE, now)
    assert waits == [30, 60, 120, 240, 480, LONGEST_SECONDS, LONGEST_SECONDS, LONGEST_SECONDS]


def test_zero_leaves_nothing_out() -> None:
    breakers = Breakers(0)
    for _ in range(100):
        breakers.attempted(A, GONE, 0)
    assert breakers.left_out([A], 0) == ()


def test_only_the_destinations_of_its_own_route_are_facts_of_a_call() -> None:
    memory = NodeMemory.of(Path("/nowhere"), {}, 1)
    memory.destinations.attempted(A, GONE, 1e12)
    memory.destinations.attempted(C, GONE, 1e12)
    assert memory.left_out(service_number([ring("in_order", A, B)])) == (A,)


# The walk.


def ring(strategy: str, *to: Any, **settings: Any) -> dict[str, Any]:
    return {"ring": {"to": list(to), "strategy": strategy, **settings}}


def walked(route: list[dict[str, Any]], *unreachable: str, outcomes: tuple[Outcome, ...] = ()) -> Rehearsal:
    number = service_number(route)
    return rehearse(number, number.facts(TUESDAY_10, UNKNOWN, unreachable=unreachable), outcomes)


@pytest.mark.parametrize("strategy", ["all", "in_order", "random", "round_robin"])
def test_it_is_left_out_of_a_ring_with_others(strategy: str) -> None:
    call = walked([ring(strategy, A, B, C)], A, outcomes=(Outcome.BUSY,) * 2)
    assert set(call.rings) == {B, C}
    assert f"without {A}: not reachable lately" in [getattr(turn, "why", "") for turn in call.path]


@pytest.mark.parametrize("strategy", ["all", "in_order"])
def test_the_last_one_is_never_left_out(strategy: str) -> None:
    assert walked([ring(strategy, A, B)], A, B, outcomes=(Outcome.BUSY,) * 2).rings == (A, B)
    assert walked([ring(strategy, A)], A).rings == (A,)
    closed = {"number": B, "hours": "sun 09:00-10:00"}
    assert walked([ring(strategy, A, closed)], A).rings == (A,)


# A caller on a line.


@pytest.mark.looptime
async def test_what_came_of_each_attempt_is_remembered() -> None:
    services = FakeCallServices(terms_of([ring("in_order", A, B)]))
    await attend(FakeLine({A: Says(GONE), B: Answers()}), services)
    assert services.attempts == [(A, GONE), (B, Outcome.TAKEN)]


@pytest.mark.looptime
async def test_a_call_that_is_taken_over_leaves_out_what_it_left_out_before() -> None:
    terms = replace(terms_of([ring("in_order", A, B, C)]), unreachable=(A,))
    services = FakeCallServices(terms)
    line = FakeLine({A: Answers(), B: Says(Outcome.BUSY, 5), C: Answers()})
    await leave_after(1, line, services)
    services.call_terms = replace(terms, unreachable=())
    state = await take_over(line, services)
    assert [leg.to for leg in state.legs.values()] == [B, C]
    assert state.unreachable == (A,)
