"""`ring` with a strategy: who is rung, in which order, and that one call walked again rings the same."""

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cli.commands.explain import command as explain
from dialplan.caller import UNKNOWN
from dialplan.number import ServiceNumber
from dialplan.rehearse import Rehearsal, rehearse
from dialplan.result import Outcome, Result, counted
from dialplan.step import Facts, Turn
from journal.entries import HandedOver, StepPerformed, Turned
from storage.retracing import PastStep, retrace
from tests.unit.fake_dial import Answers, Says
from tests.unit.fake_services import FakeCallServices, attend, leave_after, take_over
from tests.unit.fakes import FakeLine
from tests.unit.folders import NUMBER, good_folder
from tests.unit.routes import Raw, service_number
from tests.unit.stories import terms_of
from tests.unit.test_past_call import leg, past
from tests.unit.test_walk import SATURDAY, TUESDAY_10

A, B, C = "+3221112244", "+3221112255", "+3221112266"
BUSY, NO_ANSWER, TAKEN, GONE = Outcome.BUSY, Outcome.NO_ANSWER, Outcome.TAKEN, Outcome.UNREACHABLE
EVENING = datetime(2026, 11, 24, 19, tzinfo=UTC)


def ring(strategy: str, *to: str | Raw, **settings: Any) -> Raw:
    return {"ring": {"to": list(to), "strategy": strategy, **settings}}


def walked(route: list[Raw], *outcomes: Outcome, at: datetime = TUESDAY_10, nth: int = 1) -> Rehearsal:
    number = service_number(route)
    return rehearse(number, number.facts(at, UNKNOWN), outcomes, nth=nth)


def open_at_noon(number: str) -> Raw:
    return {"number": number, "hours": "mon-fri 09:00-13:00"}


@pytest.mark.parametrize(
    ("outcomes", "rings", "result"),
    [
        ([TAKEN], [A], "answered"),
        ([BUSY, TAKEN], [A, B], "answered"),
        ([BUSY, NO_ANSWER, TAKEN], [A, B, C], "answered"),
        ([BUSY, BUSY, GONE], [A, B, C], "busy"),
        ([GONE, NO_ANSWER, BUSY], [A, B, C], "no_answer"),
        ([GONE, GONE, GONE], [A, B, C], "unreachable"),
    ],
)
def test_in_order_rings_one_after_another_until_one_answers(
    outcomes: list[Outcome], rings: list[str], result: str
) -> None:
    call = walked([ring("in_order", A, B, C)], *outcomes)
    assert (list(call.rings), call.result) == (rings, Result(result))


def test_what_came_of_all_of_them_takes_the_branch() -> None:
    route = [ring("in_order", A, B, busy=[{"announce": "busy"}], no_answer=[{"announce": "nobody"}])]
    assert walked(route, BUSY, BUSY).hears == ("busy",)
    assert walked(route, BUSY, NO_ANSWER).hears == ("nobody",)


def test_each_rings_for_its_own_seconds_and_as_a_step_of_its_own() -> None:
    call = walked([ring("in_order", {"number": A, "seconds": "10", "label": "Anna"}, B, seconds="15")], BUSY)
    assert [step.summary for step, _ in call.steps] == [f"Anna {A} for 10 s", f"{B} for 15 s"]
    assert [step.path for step, _ in call.steps] == [("route", 0, "ring")] * 2


@pytest.mark.parametrize("strategy", ["all", "in_order", "random", "round_robin"])
def test_outside_its_hours_a_destination_is_left_out(strategy: str) -> None:
    route = [ring(strategy, open_at_noon(A), B), {"announce": "on"}]
    assert set(walked(route, BUSY, BUSY).rings) == {A, B}
    assert walked(route, BUSY, at=EVENING).rings == (B,)


def test_where_none_is_left_the_route_goes_on_as_closed() -> None:
    route = [ring("all", open_at_noon(A), open_at_noon(B)), {"announce": "on"}]
    call = walked(route, at=SATURDAY)
    assert (call.rings, call.hears, call.result) == ((), ("on",), Result.CLOSED)
    assert [turn.why.partition(":")[0] for turn in call.path if isinstance(turn, Turn)] == [
        f"without {A}",
        f"without {B}",
    ]


def test_round_robin_begins_with_the_next_one_and_goes_all_the_way_round() -> None:
    orders = [
        list(walked([ring("round_robin", A, B, C)], BUSY, BUSY, BUSY, nth=nth).rings) for nth in range(1, 5)
    ]
    assert orders == [[A, B, C], [B, C, A], [C, A, B], [A, B, C]]


def test_percent_rings_one_and_is_exact_over_100_calls() -> None:
    parts: list[Raw] = [
        {"number": to, "percent": percent} for to, percent in ((A, "60"), (B, "39"), (C, "1"))
    ]
    route = [ring("percent", *parts), {"announce": "on"}]
    calls = [walked(route, BUSY, nth=nth) for nth in range(1, 101)]
    assert Counter(to for call in calls for to in call.rings) == {A: 60, B: 39, C: 1}
    assert {call.hears for call in calls} == {("on",)}


def facts(number: ServiceNumber, call_id: str) -> Facts:
    return number.facts(TUESDAY_10, UNKNOWN, call_id=call_id)


def test_random_is_even_over_many_calls_and_the_same_for_one_call_walked_again() -> None:
    number = service_number([ring("random", A, B, C)])
    orders = [rehearse(number, facts(number, f"0199-{n}"), [BUSY] * 3).rings for n in range(3000)]
    assert all(sorted(order) == [A, B, C] for order in orders)
    counts = Counter(orders)
    assert len(counts) == 6
    assert all(400 < count < 600 for count in counts.values())
    assert orders[7] == rehearse(number, facts(number, "0199-7"), [BUSY] * 3).rings


def test_on_paper_random_is_in_the_order_written() -> None:
    assert walked([ring("random", A, B, C)], BUSY, BUSY, BUSY).rings == (A, B, C)


def test_without_a_strategy_the_step_itself_is_performed() -> None:
    number = service_number([{"ring": {"to": [A, B]}}])
    assert next(number.plan(facts(number, "x"))) is number.route[0]


# A caller on a line.


@pytest.mark.looptime
async def test_a_live_call_rings_one_after_another() -> None:
    line = FakeLine({A: Says(BUSY), B: Says(NO_ANSWER, 10), C: Answers()})
    services = FakeCallServices(terms_of([ring("in_order", A, {"number": B, "seconds": "10"}, C)]))
    state = await attend(line, services)
    assert [(entry.to, entry.seconds) for entry in services.of(HandedOver)] == [
        ((A,), 25),
        ((B,), 10),
        ((C,), 25),
    ]
    assert [step.outcome for step in services.of(StepPerformed)] == [BUSY, NO_ANSWER, TAKEN]
    assert state.connected is not None
    assert state.legs[state.connected.leg].to == C


@pytest.mark.looptime
async def test_live_calls_begin_with_another_destination_each() -> None:
    services = FakeCallServices(terms_of([ring("round_robin", A, B, C)]))
    first = []
    for n in range(4):
        line = FakeLine(dict.fromkeys((A, B, C), Answers()), call_id=f"0199-{n}")
        await attend(line, services.for_another_call())
        first.append(line.handed_over[0].to[0].number)
    assert first == [A, B, C, A]


@pytest.mark.looptime
@pytest.mark.parametrize("strategy", ["in_order", "round_robin", "random"])
async def test_after_a_crash_a_call_goes_on_with_the_destination_where_it_was(strategy: str) -> None:
    line = FakeLine({A: Says(NO_ANSWER, 5), B: Says(NO_ANSWER, 5), C: Says(NO_ANSWER, 5)})
    services = FakeCallServices(terms_of([ring(strategy, A, B, C)]))
    services.counts["+3270012345:route.0.ring"] = 4
    await leave_after(7, line, services)  # while the second one rings
    await take_over(line, services)
    rung = [entry.to[0] for entry in services.of(HandedOver)]
    assert sorted(rung) == [A, B, C]
    if strategy == "round_robin":
        assert rung == [B, C, A]
    turns = [entry.why for entry in services.of(Turned)]
    assert len(set(turns)) <= 1
    assert services.counts["+3270012345:route.0.ring"] == (5 if strategy == "round_robin" else 4)


# What operators read.


def test_explain_prints_who_is_rung_and_why(tmp_path: Path) -> None:
    number = good_folder(tmp_path) / "numbers" / "main.yaml"
    to = f"[{{number: {A}, label: Anna, hours: mon-fri 09:00-13:00}}, {B}]"
    number.write_text(
        NUMBER.replace("  - ring: +3221112233\n", f"  - ring: {{to: {to}, strategy: round_robin}}\n")
    )
    arguments = [str(tmp_path), "+3270012345", "--at", "2026-11-24 18:00", "--nth", "2"]
    printed = CliRunner().invoke(explain, arguments).output
    assert f"  2  ring      in turn: {B}, Anna {A}\n" in printed
    assert f"  3  ring      without Anna {A}: closed: tue 18:00; opens wed 2026-11-25 09:00\n" in printed
    assert f"  4  ring      {B} for 25 s -> taken\n" in printed
    data = json.loads(CliRunner().invoke(explain, [*arguments, "--format", "json"]).output)
    assert data["path"][-1]["settings"]["to"][0]["number"] == B


def test_a_past_call_rang_in_the_order_that_its_record_has() -> None:
    number = service_number([ring("round_robin", A, B, C)])
    record = past("busy", leg(B, "busy"), leg(C, "busy"), leg(A, "busy"), choices=(counted(2),))
    path = [step for step in retrace(record, number).path if isinstance(step, PastStep)]
    assert [(str(step.step.destinations[0]), step.outcome) for step in path] == [
        (B, BUSY),
        (C, BUSY),
        (A, BUSY),
    ]


# The branches of a ring.


@pytest.mark.parametrize(
    ("outcome", "branches", "hears"),
    [
        (Outcome.REJECTED, ["busy", "rejected"], "rejected"),
        (Outcome.REJECTED, ["busy"], "busy"),
        (Outcome.BUSY, ["busy", "rejected"], "busy"),
        (Outcome.CONGESTED, ["unreachable", "congested"], "congested"),
        (Outcome.CONGESTED, ["unreachable"], "unreachable"),
        (Outcome.UNREACHABLE, ["unreachable", "congested"], "unreachable"),
        (Outcome.FAILED, ["unreachable", "congested"], "unreachable"),
    ],
)
def test_a_branch_of_its_own_goes_before_the_wider_one(
    outcome: Outcome, branches: list[str], hears: str
) -> None:
    settings = {branch: [{"announce": branch}] for branch in branches}
    assert walked([ring("all", A, **settings)], outcome).hears == (hears,)


def test_a_congested_call_is_unreachable_in_its_record() -> None:
    assert walked([ring("all", A)], Outcome.CONGESTED).result is Result.UNREACHABLE
