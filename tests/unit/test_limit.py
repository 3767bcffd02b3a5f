"""`limit`: never more calls than it says, over crashes and restarts; and what becomes of the others."""

import asyncio
import json
from datetime import datetime
from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner

from cli.commands.explain import command as explain
from config.errors import ConfigErrors
from config.load import load
from config.policy import Policy
from dialplan.caller import UNKNOWN
from dialplan.rehearse import rehearse
from dialplan.result import Result
from engine.call_limits import CallLimits
from journal.entries import Entry, LegConnected, LegEnded
from storage.retracing import Known, PastStep, retrace
from tests.unit.fake_dial import Answers
from tests.unit.fake_services import FakeCallServices, attend, leave_after, take_over
from tests.unit.fakes import FakeLine
from tests.unit.folders import NUMBER, good_folder
from tests.unit.routes import Raw, service_number
from tests.unit.stories import OFFICE, terms_of
from tests.unit.test_past_call import past
from tests.unit.test_walk import TUESDAY_10

LIMIT: Raw = {"limit": {"calls": "2", "full": [{"announce": "full"}]}}
ROUTE: list[Raw] = [LIMIT, {"ring": OFFICE}]
KEY = "+3270012345:route.0.limit"


@pytest.mark.parametrize(
    ("route", "live", "heard", "result"),
    [
        (ROUTE, 0, (), "answered"),
        (ROUTE, 1, (), "answered"),
        (ROUTE, 2, ("full",), "busy"),
        (ROUTE, 9, ("full",), "busy"),
        ([{"limit": "2"}, {"ring": OFFICE}], 2, (), "busy"),
    ],
)
def test_a_call_that_is_one_too_many_takes_its_branch_or_is_busy(
    route: list[Raw], live: int, heard: tuple[str, ...], result: str
) -> None:
    number = service_number(route)
    call = rehearse(number, number.facts(TUESDAY_10, UNKNOWN), live=live)
    assert (call.hears, call.result) == (heard, Result(result))


def caller(n: int, talks: float = 60) -> FakeLine:
    return FakeLine({OFFICE: Answers(2, talks)}, call_id=f"0199-{n}")


def have_talked(lines: list[FakeLine]) -> list[bool]:
    return [f"talking to {OFFICE}" in line.heard for line in lines]


@pytest.mark.looptime
async def test_200_calls_at_once_are_two_and_198_too_many_and_a_place_is_free_again_after_each_end() -> None:
    services = FakeCallServices(terms_of(ROUTE))
    lines = [caller(n) for n in range(200)]
    await asyncio.gather(*(attend(line, services.for_another_call()) for line in lines))
    assert have_talked(lines) == [True, True, *[False] * 198]
    later = [caller(n) for n in range(200, 202)]
    for line in later:
        await attend(line, services.for_another_call())
    assert have_talked(later) == [True, True]


@pytest.mark.looptime
@pytest.mark.parametrize(("most", "seed"), [(1, 1), (2, 2), (5, 3), (7, 4), (20, 5)])
async def test_a_limit_is_never_exceeded_however_200_calls_come_and_go(most: int, seed: int) -> None:
    chance = Random(seed)
    services = FakeCallServices(terms_of([{"limit": str(most)}, {"ring": OFFICE}]))
    calls = [talked(services, n, chance.uniform(0, 60), chance.uniform(0.1, 40)) for n in range(200)]
    spans = [span for spans in await asyncio.gather(*calls) for span in spans]
    at_once = [sum(began <= now < ended for began, ended in spans) for now, _ in spans]
    assert max(at_once) == most, "reached, and never exceeded"


async def talked(
    services: FakeCallServices, n: int, comes: float, talks: float
) -> list[tuple[datetime, datetime]]:
    """A caller who comes after so many seconds and talks for so long: from when to when, if at all."""
    await asyncio.sleep(comes)  # of a jumping clock
    line, journal = FakeLine({OFFICE: Answers(talks=talks)}, call_id=f"c{n}"), services.for_another_call()
    await attend(line, journal)
    joined, ended = journal.of(LegConnected), journal.of(LegEnded)
    return [(one.at, other.at) for one, other in zip(joined, ended, strict=True)]


@pytest.mark.looptime
async def test_a_call_that_lives_through_a_crash_goes_on_counting() -> None:
    terms = terms_of([{"limit": "1"}, {"ring": OFFICE}])
    first = FakeCallServices(terms)
    line = caller(1)
    await leave_after(5, line, first)  # it talks
    unfinished: dict[str, list[Entry]] = {line.call_id: first.entries}
    again = FakeCallServices(terms, entries=first.entries, limits=CallLimits(unfinished))
    other = caller(2)
    await attend(other, again.for_another_call())
    assert have_talked([other]) == [False]
    await take_over(line, again)
    assert line.journal.state.choices == ("within limit",)
    third = caller(3)
    await attend(third, again.for_another_call())
    assert have_talked([third]) == [True]


def test_a_call_counts_once_at_each_step_and_leaves_them_all() -> None:
    limits = CallLimits({})
    assert limits.enter(KEY, "a", 1)
    assert limits.enter(KEY, "a", 1)
    assert limits.enter("other", "a", 1)
    assert not limits.enter(KEY, "b", 1)
    limits.leave("a")
    limits.leave("never-there")
    assert limits.enter(KEY, "b", 1)
    assert limits.enter("other", "c", 1)


@pytest.mark.looptime
async def test_the_calls_of_an_owner_count_together_also_those_that_live_through_a_crash() -> None:
    route: list[Raw] = [{"limit": {"calls": "1", "of": "owner"}}, {"ring": OFFICE}]
    first = FakeCallServices(terms_of(route))
    line = caller(1)
    await leave_after(5, line, first)  # it talks
    other_number = terms_of(route, number="+3270099999")
    unfinished: dict[str, list[Entry]] = {line.call_id: first.entries}
    again = FakeCallServices(other_number, limits=CallLimits(unfinished))
    lines = [caller(2), FakeLine({OFFICE: Answers()}, call_id="0199-3")]
    await attend(lines[0], again.for_another_call())
    again.limits.leave(line.call_id)
    await attend(lines[1], again.for_another_call())
    assert have_talked(lines) == [False, True]
    strangers = FakeCallServices(terms_of(route, owner="another"), limits=CallLimits(unfinished))
    third = caller(4)
    await attend(third, strangers)
    assert have_talked([third]) == [True]


def test_a_limit_that_was_made_lower_lets_the_others_in_when_enough_have_left() -> None:
    limits = CallLimits({})
    assert [limits.enter(KEY, call, 3) for call in "abc"] == [True] * 3
    limits.leave("a")
    assert not limits.enter(KEY, "d", 2)
    limits.leave("b")
    assert limits.enter(KEY, "d", 2)


def folder(root: Path, more: str = "") -> Path:
    number = good_folder(root) / "numbers" / "main.yaml"
    number.write_text(NUMBER.replace("route:\n", "route:\n  - limit: 2\n") + more)
    return root


def test_explain_supposes_that_calls_are_live(tmp_path: Path) -> None:
    arguments = [str(folder(tmp_path)), "+3270012345"]
    assert (
        "  1  limit     at most 2 calls at once -> within limit\n"
        in CliRunner().invoke(explain, arguments).output
    )
    data = json.loads(CliRunner().invoke(explain, [*arguments, "--live", "2", "--format", "json"]).output)
    assert (data["path"][0]["outcome"], data["result"]) == ("over limit", "busy")


def test_expect_supposes_it_too(tmp_path: Path) -> None:
    expect = "expect:\n  - {at: 2026-11-24 10:00, live: LIVE, ends: busy}\n"
    assert load(folder(tmp_path / "a", expect.replace("LIVE", "2")), Policy())
    with pytest.raises(ConfigErrors, match="expected busy, got answered"):
        load(folder(tmp_path / "b", expect.replace("LIVE", "1")), Policy())


def test_a_past_call_was_one_too_many_where_its_record_says_so() -> None:
    path = retrace(past("busy", choices=("over limit",)), service_number(ROUTE)).path
    steps = [(step.step.step, step.outcome, step.known) for step in path if isinstance(step, PastStep)]
    assert steps[0] == ("limit", "over limit", Known.CHOICE)
    assert steps[1][0] == "announce"
