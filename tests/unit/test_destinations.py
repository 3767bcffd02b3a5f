"""`longest_idle`, `sticky` and `max_calls`: rings that depend on where calls are and were."""

import asyncio
import itertools
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pytest

from dialplan.caller import UNKNOWN, WITHHELD, Caller, Presentation
from dialplan.rehearse import rehearse
from dialplan.result import Choice, Outcome
from dialplan.step import By, Sort, Turn, chosen
from engine.breakers import Breakers
from engine.destinations import MOST_REMEMBERED, Destinations
from journal.entries import CallEnded, HandedOver, LegEnded, LegStarted, StepPerformed
from storage.retracing import retrace
from tests.unit.cel_events import CALL, LEG_ONE, TALKING, after, at, started
from tests.unit.fake_dial import Answers, Says
from tests.unit.fake_services import FakeCallServices, attend, leave_after, take_over
from tests.unit.fakes import FakeLine
from tests.unit.routes import service_number
from tests.unit.stories import terms_of
from tests.unit.test_breakers import ring, walked
from tests.unit.test_past_call import leg, past
from tests.unit.test_walk import TUESDAY_10

A, B, C = "+3221112244", "+3221112255", "+3221112266"
BUSY = Outcome.BUSY
SHOWN = Caller(Presentation.SHOWN, "+4915123456789")
ANSWER = {A: Answers(), B: Answers(), C: Answers()}
type Raw = dict[str, Any]


async def calls(
    services: FakeCallServices, count: int, caller: Caller = SHOWN, where: Mapping[str, Answers | Says] = {}
) -> list[str]:
    """So many calls one after another: the destination that each talked with."""
    talked = []
    for n in range(count):
        line = FakeLine({**ANSWER, **where}, call_id=f"0199-{len(services.counts)}-{n}", caller=caller)
        state = await attend(line, services.for_another_call())
        talked += [leg.to for leg in state.legs.values() if leg.connected]
    return talked


# Longest idle.


@pytest.mark.looptime
async def test_the_one_without_a_conversation_for_longest_is_rung_first() -> None:
    services = FakeCallServices(terms_of([ring("longest_idle", A, B, C)]))
    assert await calls(services, 5) == [A, B, C, A, B]


def test_on_paper_longest_idle_and_sticky_are_in_the_order_written() -> None:
    for strategy in ("longest_idle", "sticky"):
        assert walked([ring(strategy, A, B)], outcomes=(BUSY, BUSY)).rings == (A, B)


def test_one_that_talks_now_comes_last() -> None:
    destinations = Destinations(Breakers(3))
    state = after(*TALKING)
    destinations.attend(state)
    talks = state.legs[next(iter(state.legs))].to
    other = started()
    other.call_id = "another"
    sort = Sort("ring", (), 2, By.IDLE, (talks, A))
    assert destinations.sort(sort, other, 0) == (A, talks)
    destinations.leave(CALL)
    assert destinations.sort(sort, other, 0) == (talks, A)


# Sticky.


@pytest.mark.looptime
async def test_a_caller_comes_to_the_destination_that_answered_last() -> None:
    services = FakeCallServices(terms_of([ring("sticky", A, B, C)]))
    first = await calls(services, 1, where={A: Says(BUSY), B: Says(BUSY)})
    assert first == [C]
    assert await calls(services, 2) == [C, C]
    another = Caller(Presentation.SHOWN, "+4915199999999")
    assert await calls(services, 1, another) == [A]


@pytest.mark.looptime
@pytest.mark.parametrize("caller", [WITHHELD, UNKNOWN])
async def test_a_caller_without_a_number_is_never_remembered(caller: Caller) -> None:
    services = FakeCallServices(terms_of([ring("sticky", A, B)]))
    assert await calls(services, 1, caller, where={A: Says(BUSY)}) == [B]
    assert await calls(services, 1, caller) == [A]
    assert not services.destinations._remembered


@pytest.mark.looptime
async def test_a_caller_is_forgotten_after_the_time() -> None:
    for remember, then in (("1 hour", A), ("2 hours", B)):
        services = FakeCallServices(terms_of([ring("sticky", A, B, remember=remember)]))
        assert await calls(services, 1, where={A: Says(BUSY), B: Answers(talks=5)}) == [B]
        services.shift = 3700
        assert await calls(services, 1) == [then]


@pytest.mark.looptime
async def test_nothing_in_memory_is_a_callers_number_and_the_memory_is_bounded() -> None:
    services = FakeCallServices(terms_of([ring("sticky", A)]))
    await calls(services, 1)
    memory = services.destinations
    assert "15123456789" not in repr(vars(memory)["_remembered"])
    state = after(*TALKING)
    for n in range(MOST_REMEMBERED + 5):
        state.caller = f"+32{n}"
        memory.remember(state, (), 1)
    assert len(memory._remembered) == MOST_REMEMBERED


# At most so many calls at once.


def limited(to: str, most: int = 1) -> Raw:
    return {"number": to, "max_calls": str(most)}


@pytest.mark.parametrize(
    ("live", "rings", "result"), [(0, (A,), "answered"), (1, (A,), "answered"), (2, (), "busy")]
)
def test_one_that_has_as_many_calls_as_it_may_have_is_busy(
    live: int, rings: tuple[str, ...], result: str
) -> None:
    number = service_number([ring("all", limited(A, 2))])
    call = rehearse(number, number.facts(TUESDAY_10, UNKNOWN), live=live)
    assert (call.rings, call.result) == (rings, result)


@pytest.mark.parametrize("strategy", ["all", "in_order", "longest_idle"])
def test_it_is_left_out_of_a_ring_with_others(strategy: str) -> None:
    number = service_number([ring(strategy, limited(A), B)])
    call = rehearse(number, number.facts(TUESDAY_10, UNKNOWN), live=1)
    assert call.rings == (B,)
    assert Turn("ring", f"without {A}: as many calls as it may have") in call.path


def test_a_call_counts_from_the_choice_to_the_end_of_its_ring_or_conversation() -> None:
    destinations, other = Destinations(Breakers(3)), started()
    other.call_id = "another"
    to = started().handovers[0].to
    sort = Sort("ring", (), 2, By.ROOM, to, (1, 1))
    state = started()
    state.handed_over = None
    destinations.attend(state)
    assert destinations.sort(sort, other, 0) == to
    state.apply(StepPerformed(CALL, "ring", Outcome.DONE, (), at(0), str(sort.answered(to[:1]))))
    assert destinations.sort(sort, other, 0) == to[1:]
    assert destinations.sort(sort, state, 0) == to  # its own call does not count
    state.apply(HandedOver(CALL, at(1), to, 20))
    assert destinations.sort(sort, other, 0) == ()
    state.apply(StepPerformed(CALL, "ring", BUSY, (), at(2)))
    assert destinations.sort(sort, other, 0) == to
    talking = after(*TALKING)
    destinations.attend(talking)
    assert destinations.sort(sort, other, 0) == tuple(
        one for one in to if talking.talking is not None and one != talking.talking.to
    )


def test_a_ringing_call_occupies_all_that_ring() -> None:
    destinations = Destinations(Breakers(3))
    destinations.attend(after(LEG_ONE))
    other = started()
    other.call_id = "another"
    to = started().handovers[0].to
    assert destinations.sort(Sort("ring", (), 2, By.ROOM, to, (1, 2)), other, 0) == to[1:]


# Crash and past.


@pytest.mark.looptime
async def test_a_call_that_is_taken_over_rings_on_in_the_order_chosen_before() -> None:
    services = FakeCallServices(terms_of([ring("longest_idle", A, B, C)]))
    services.destinations.attempted(A, Outcome.TAKEN, -5)
    line = FakeLine({A: Answers(), B: Says(BUSY, 5), C: Says(BUSY)})
    await leave_after(1, line, services)
    services.destinations = Destinations(Breakers(3))  # the next engine remembers nothing
    state = await take_over(line, services)
    assert [leg.to for leg in state.legs.values()] == [B, C, A]


def test_a_past_call_is_explained_by_what_was_chosen() -> None:
    number = service_number([ring("longest_idle", A, B)])
    record = past("answered", leg(B, "taken", answered=True), delivered_to=B, choices=(f"to {B} {A}",))
    assert retrace(record, number).result == "answered"
    turn = retrace(record, number).path[0]
    assert turn == Turn("ring", f"longest without a conversation first: {B}, {A}")


def test_an_answer_that_is_none_leaves_the_order_as_written() -> None:
    assert chosen(Outcome.FAILED) is None
    assert chosen(Choice("to")) == ()
    assert chosen(Choice(f"room {A}")) == (A,)


@pytest.mark.looptime
async def test_with_200_calls_at_once_no_destination_has_more_than_it_may_have() -> None:
    route = [ring("in_order", limited(A, 3), limited(B, 2), no_answer=[{"announce": "on"}])]
    services = FakeCallServices(terms_of(route))
    journals = []

    async def call(n: int) -> None:
        await asyncio.sleep(n * 0.13)
        does: list[Answers | Says] = [Answers(talks=5 + n % 7), Says(Outcome.NO_ANSWER, 1 + n % 5)]
        line = FakeLine({A: does[n % 2], B: does[n % 3 == 0]}, call_id=f"0199-{n}")
        mine = services.for_another_call()
        await attend(line, mine)
        journals.append(mine)

    await asyncio.gather(*(call(n) for n in range(200)))
    for to, most in ((A, 3), (B, 2)):
        changes = sorted(change for mine in journals for change in attempts_at(to, mine))
        live = list(itertools.accumulate(step for _, step in changes))
        assert max(live) == most
    busy = [entry for mine in journals for entry in mine.of(CallEnded) if entry.outcome == "busy"]
    assert busy


def attempts_at(to: str, services: FakeCallServices) -> list[tuple[datetime, int]]:
    """When a leg at this destination began (1) and ended (-1)."""
    began = {entry.leg: entry.at for entry in services.of(LegStarted) if entry.to == to}
    ended = {entry.leg: entry.at for entry in services.of(LegEnded) if entry.leg in began}
    return [*((at, 1) for at in began.values()), *((at, -1) for at in ended.values())]
