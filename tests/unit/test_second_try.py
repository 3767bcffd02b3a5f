"""`present_if_refused`: a second try, with another number shown, where a network refuses the first."""

import pytest

from dialplan.caller import UNKNOWN
from dialplan.destination import Present
from dialplan.result import Choice, Outcome, Result
from dialplan.second_try import again, outcomes_in, refused_by
from dialplan.steps.ring import Ring
from storage.retracing import retrace
from tests.unit.fake_dial import Says
from tests.unit.fake_services import FakeCallServices, attend, leave_after, take_over
from tests.unit.fakes import FakeLine
from tests.unit.routes import Raw, service_number
from tests.unit.stories import terms_of
from tests.unit.test_past_call import leg, past
from tests.unit.test_walk import TUESDAY_10

A, B = "+3221112244", "+3221112255"
BUSY, REJECTED, TAKEN = Outcome.BUSY, Outcome.REJECTED, Outcome.TAKEN
TWICE: Raw = {"number": A, "present_if_refused": "service_number"}


def ring(*to: str | Raw, **settings: object) -> Raw:
    return {"ring": {"to": list(to), **settings}}


def walked(route: list[Raw], *answers: Outcome | Choice) -> tuple[list[list[tuple[str, Present]]], Result]:
    """What each ring shows to whom, and the result."""
    number = service_number(route)
    plan = number.plan(number.facts(TUESDAY_10, UNKNOWN))
    given, rings = iter(answers), []
    try:
        step = next(plan)
        while True:
            assert isinstance(step, Ring)
            rings.append([(to.number, to.present) for to in step.to])
            step = plan.send(next(given))
    except StopIteration as over:
        return rings, over.value.result


@pytest.mark.parametrize(("outcome", "result"), [(TAKEN, "answered"), (BUSY, "busy"), (REJECTED, "rejected")])
def test_the_outcome_is_that_of_the_second_try(outcome: Outcome, result: str) -> None:
    rings, found = walked([ring(TWICE)], again([], [A]), outcome)
    assert rings == [[(A, Present.CALLER)], [(A, Present.SERVICE_NUMBER)]]
    assert found == result


def test_of_several_only_those_that_refused_are_rung_again_and_the_others_count() -> None:
    rings, result = walked([ring(TWICE, B)], again([Outcome.NO_ANSWER], [A]), BUSY)
    assert rings == [[(A, Present.CALLER), (B, Present.CALLER)], [(A, Present.SERVICE_NUMBER)]]
    assert result == "no_answer"


def test_one_after_another_the_second_try_comes_before_the_next() -> None:
    rings, _ = walked([ring(TWICE, B, strategy="in_order")], again([], [A]), REJECTED, TAKEN)
    assert rings == [[(A, Present.CALLER)], [(A, Present.SERVICE_NUMBER)], [(B, Present.CALLER)]]


def test_an_answer_says_who_refused_and_what_came_of_the_others() -> None:
    answer = again([BUSY, Outcome.NO_ANSWER], [A, B])
    assert answer == f"again busy no_answer {A} {B}"
    assert refused_by(answer) == (A, B)
    assert outcomes_in(answer) == [BUSY, Outcome.NO_ANSWER]
    assert (refused_by(BUSY), outcomes_in(BUSY)) == ((), [BUSY])


# A caller on a line.


@pytest.mark.looptime
async def test_a_network_that_refuses_is_shown_another_number() -> None:
    line = FakeLine({A: Says(REJECTED, refused=True)})
    services = FakeCallServices(terms_of([ring(TWICE), {"announce": "on"}]))
    state = await attend(line, services)
    assert [[to.present for to in connect.to] for connect in line.handed_over] == [
        [Present.CALLER],
        [Present.SERVICE_NUMBER],
    ]
    assert state.choices == (f"again {A}",)
    assert line.heard[-2] == "on"


@pytest.mark.looptime
async def test_a_person_who_declines_is_not_rung_again() -> None:
    line = FakeLine({A: Says(REJECTED)})
    await attend(line, FakeCallServices(terms_of([ring(TWICE)])))
    assert len(line.handed_over) == 1


@pytest.mark.looptime
async def test_without_the_setting_there_is_no_second_try() -> None:
    line = FakeLine({A: Says(REJECTED, refused=True)})
    await attend(line, FakeCallServices(terms_of([ring(A)])))
    assert len(line.handed_over) == 1


@pytest.mark.looptime
async def test_a_second_try_that_is_taken_over_is_not_tried_a_third_time() -> None:
    line = FakeLine({A: Says(REJECTED, 2, refused=True)})
    services = FakeCallServices(terms_of([ring(TWICE)]))
    await leave_after(3, line, services)
    await take_over(line, services)
    assert len(line.handed_over) == 2


def test_a_past_call_shows_both_tries() -> None:
    number = service_number([ring(TWICE)])
    record = past("busy", leg(A, "rejected"), leg(A, "busy"), choices=(f"again {A}",))
    path = [getattr(step, "outcome", None) for step in retrace(record, number).path]
    assert path == [f"again {A}", "busy"]


def test_a_sip_address_is_rung_again_as_a_number_is() -> None:
    desk = "sip:desk@pbx.acme.example"
    answer = again([BUSY], [desk, A])
    assert (refused_by(answer), outcomes_in(answer)) == ((desk, A), [BUSY])
    twice: Raw = {"number": desk, "present_if_refused": "service_number"}
    rings, _ = walked([ring(twice)], again([], [desk]), TAKEN)
    assert rings == [[(desk, Present.CALLER)], [(desk, Present.SERVICE_NUMBER)]]
