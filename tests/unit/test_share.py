"""`share`: calls divided among branches by percentages, exactly; and the counters of it, over restarts."""

import json
import os
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from cli.commands.explain import command as explain
from config.errors import ConfigErrors
from config.load import load
from config.policy import Policy
from dialplan.caller import UNKNOWN
from dialplan.rehearse import rehearse
from dialplan.result import Outcome, counted
from dialplan.spread import spread
from engine.counters import Counters
from journal.entries import StepPerformed
from storage.retracing import retrace
from tests.unit.fake_services import FakeCallServices, attend, leave_after, take_over
from tests.unit.fakes import FakeLine
from tests.unit.folders import NUMBER, good_folder
from tests.unit.routes import Raw, service_number
from tests.unit.stories import terms_of
from tests.unit.test_past_call import past
from tests.unit.test_walk import TUESDAY_10

A, B = "+3221112244", "+3221112255"
SHARE: Raw = {
    "share": [
        {"percent": "70", "then": [{"announce": "first"}]},
        {"percent": "29", "then": [{"announce": "second"}]},
        {"percent": "1"},
    ]
}
ROUTE: list[Raw] = [SHARE, {"announce": "on"}]

parts = st.lists(st.integers(1, 40), min_size=1, max_size=8).filter(lambda some: sum(some) < 100)


@given(parts, st.integers(0, 99))
def test_of_any_100_calls_in_a_row_each_branch_gets_exactly_its_part(some: list[int], first: int) -> None:
    percents = (*some, 100 - sum(some))
    order = spread(percents)
    calls = Counter(order[call % 100] for call in range(first, first + 100))
    assert calls == dict(enumerate(percents))


def test_the_parts_are_spread_over_the_calls() -> None:
    assert spread((50, 25, 25))[:8] == (0, 1, 2, 0, 0, 1, 2, 0)
    assert spread((100,)) == (0,) * 100


def heard(nth: int) -> list[str]:
    number = service_number(ROUTE)
    return list(rehearse(number, number.facts(TUESDAY_10, UNKNOWN), nth=nth).hears)


def test_each_branch_is_the_rest_of_the_route_and_without_one_it_goes_on() -> None:
    assert Counter(*[[name for nth in range(1, 101) for name in heard(nth)]]) == {
        "first": 70,
        "second": 29,
        "on": 1,
    }
    assert heard(101) == heard(1)


@pytest.mark.looptime
async def test_live_calls_are_shared_exactly() -> None:
    services = FakeCallServices(terms_of(ROUTE))
    prompts: Counter[str] = Counter()
    for n in range(100):
        line = FakeLine(call_id=f"0199-{n}")
        await attend(line, services.for_another_call())
        prompts[line.heard[0]] += 1
    assert prompts == {"first": 70, "second": 29, "on": 1}


@pytest.mark.looptime
async def test_a_share_within_a_share_is_exact_too() -> None:
    inner: Raw = {"share": [{"percent": "50", "then": [{"announce": "a"}]}, {"percent": "50"}]}
    route: list[Raw] = [
        {"share": [{"percent": "50", "then": [inner, {"announce": "b"}]}, {"percent": "50"}]},
        {"announce": "c"},
    ]
    services = FakeCallServices(terms_of(route))
    prompts: Counter[str] = Counter()
    for n in range(200):
        line = FakeLine(call_id=f"0199-{n}")
        await attend(line, services.for_another_call())
        prompts[line.heard[0]] += 1
    assert prompts == {"a": 50, "b": 50, "c": 100}


@pytest.mark.looptime
async def test_after_a_crash_a_call_stays_in_its_branch_and_is_not_counted_again() -> None:
    half = {"percent": "50", "then": [{"announce": "a"}, {"announce": "b"}]}
    terms = terms_of([{"share": [half, {"percent": "50"}]}, {"announce": "c"}])
    services = FakeCallServices(terms)
    line = FakeLine()
    await leave_after(1, line, services)
    await attend(FakeLine(call_id="0199-other"), services.for_another_call())
    state = await take_over(line, services)
    assert line.heard == ["a", "b", "hung up: no_answer"]
    assert state.choices == ("call 1",)
    assert services.counts.total() == 2
    assert [step.choice for step in services.of(StepPerformed)] == ["call 1", "", ""]


def test_explain_says_which_call_takes_which_branch(tmp_path: Path) -> None:
    number = good_folder(tmp_path) / "numbers" / "main.yaml"
    share = "  - share: [{percent: 99, then: [hangup: busy]}, {percent: 1}]\n"
    number.write_text(NUMBER.replace("route:\n", f"route:\n{share}"))
    for nth, why, result in (
        ("1", "call 1 of each 100: branch 1, which gets 99 %", "busy"),
        ("151", "call 51 of each 100: branch 2, which gets 1 %", "answered"),
    ):
        options = ["--nth", nth, "--format", "json"]
        printed = json.loads(CliRunner().invoke(explain, [str(tmp_path), "+3270012345", *options]).output)
        assert printed["path"][0] == {"kind": "turn", "step": "share", "why": why}
        assert printed["result"] == result


def test_expect_names_the_call_of_each_100(tmp_path: Path) -> None:
    number = good_folder(tmp_path) / "numbers" / "main.yaml"
    share = "  - share: [{percent: 99, then: [hangup: busy]}, {percent: 1}]\n"
    text = NUMBER.replace("route:\n", f"route:\n{share}")
    number.write_text(f"{text}expect:\n  - {{at: 2026-11-24 10:00, nth: 51, ends: answered}}\n")
    assert load(tmp_path, Policy()).numbers
    number.write_text(f"{text}expect:\n  - {{at: 2026-11-24 10:00, nth: 50, ends: answered}}\n")
    with pytest.raises(ConfigErrors, match="expected answered, got busy"):
        load(tmp_path, Policy())


def test_a_past_call_took_the_branch_that_its_record_has() -> None:
    number = service_number(ROUTE)
    first, last = spread((70, 29, 1)).index(0), spread((70, 29, 1)).index(2)
    for count, prompt in ((first, "first"), (last, "on")):
        path = retrace(past("no_answer", choices=(counted(count + 1),)), number).path
        assert prompt in str(path[-1])
    unknown = retrace(past("no_answer"), number)
    assert (unknown.path, unknown.result) == ((), None)


# The counters.


async def test_a_counter_goes_on_after_a_restart(tmp_path: Path) -> None:
    counters = Counters(tmp_path / "counters.json")
    assert [counters.count("a"), counters.count("a"), counters.count("b")] == [0, 1, 0]
    await counters.saved()
    again = Counters(tmp_path / "counters.json")
    assert [again.count("a"), again.count("b"), again.count("c")] == [2, 1, 0]
    await again.saved()


async def test_what_is_counted_while_the_file_is_written_is_written_too(tmp_path: Path) -> None:
    counters = Counters(tmp_path / "counters.json")
    for _ in range(1000):
        counters.count("a")
    await counters.saved()
    assert json.loads((tmp_path / "counters.json").read_text()) == {"a": 1000}


@pytest.mark.parametrize("damage", ["", "{", "[1]", '{"a": "x"}', '{"a": null}', "\xff", '{"a": Infinity}'])
def test_a_damaged_file_of_counters_keeps_no_engine_from_starting(tmp_path: Path, damage: str) -> None:
    file = tmp_path / "counters.json"
    file.write_bytes(damage.encode("latin-1"))
    assert Counters(file)


async def test_a_disk_that_cannot_be_written_keeps_no_call_from_being_counted(tmp_path: Path) -> None:
    counters = Counters(tmp_path / "gone" / "counters.json")
    assert [counters.count("a"), counters.count("a")] == [0, 1]
    await counters.saved()
    os.mkdir(tmp_path / "gone")
    assert counters.count("a") == 2
    await counters.saved()
    assert json.loads((tmp_path / "gone" / "counters.json").read_text()) == {"a": 3}


def test_a_choice_is_no_outcome() -> None:
    step = StepPerformed("c", "share", Outcome.DONE, choice="busy")
    assert step.outcome is Outcome.DONE
