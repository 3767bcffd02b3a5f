"""The walk over a route, as tables: what was asked, what came of it, what is performed."""

import pickle
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialplan.caller import UNKNOWN
from dialplan.number import ServiceNumber
from dialplan.rehearse import rehearse
from dialplan.result import Outcome, Result
from dialplan.step import StepModel, Turn, visit
from dialplan.steps.hangup import Hangup
from dialplan.steps.ring import Ring
from tests.unit.routes import RING_OUTCOMES, Raw, routes, service_number, size

TUESDAY_10 = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
SATURDAY = datetime(2026, 11, 28, 9, 0, tzinfo=UTC)
CHRISTMAS = datetime(2026, 12, 25, 9, 0, tzinfo=UTC)

# The number of the design.
ACME: list[Raw] = [
    {"announce": "welcome"},
    {
        "hours": {
            "open": "mon-fri 09:00-12:30 13:30-17:30",
            "holiday": [{"announce": "closed-holiday"}],
            "closed": [{"voicemail": {"greeting": "closed"}}],
        }
    },
    {
        "ring": {
            "to": ["+32470111222", "+3221112233"],
            "seconds": "20",
            "busy": [{"voicemail": {"greeting": "all-busy"}}],
        }
    },
    {"voicemail": {"greeting": "leave-a-message"}},
]
TAKEN, BUSY, NO_ANSWER = Outcome.TAKEN, Outcome.BUSY, Outcome.NO_ANSWER


def said(step: Turn | StepModel) -> str:
    match step:
        case Turn():
            return step.why.partition(":")[0]
        case Hangup():
            return f"hangup {step.reason}"
        case _:
            return " ".join(map(str, (step.step, *step.prompts, *step.destinations)))


def told(route: list[Raw], now: datetime, outcomes: list[Outcome]) -> tuple[list[str], Result]:
    number = service_number(route, holidays="BE")
    call = rehearse(number, number.facts(now, UNKNOWN), outcomes)
    return [said(step if isinstance(step, Turn) else step[0]) for step in call.path], call.result


@pytest.mark.parametrize(
    ("now", "outcomes", "path", "result"),
    [
        (TUESDAY_10, [TAKEN], ["open", "ring +32470111222 +3221112233"], "answered"),
        (TUESDAY_10, [BUSY], ["open", "ring +32470111222 +3221112233", "voicemail all-busy"], "voicemail"),
        (
            TUESDAY_10,
            [NO_ANSWER],
            ["open", "ring +32470111222 +3221112233", "voicemail leave-a-message"],
            "voicemail",
        ),
        (SATURDAY, [], ["closed", "voicemail closed"], "voicemail"),
        (CHRISTMAS, [], ["holiday", "announce closed-holiday"], "closed"),
    ],
)
def test_the_number_of_the_design_goes_its_ways(
    now: datetime, outcomes: list[Outcome], path: list[str], result: str
) -> None:
    assert told(ACME, now, outcomes) == (["announce welcome", *path], Result(result))


@pytest.mark.parametrize(
    ("outcome", "branch", "result"),
    [
        ("busy", "all-busy", "busy"),
        ("rejected", "all-busy", "rejected"),
        ("no_answer", "nobody", "no_answer"),
        ("unreachable", "gone", "unreachable"),
        ("failed", "gone", "failed"),
    ],
)
def test_each_outcome_of_ring_takes_its_branch_and_the_branch_is_the_rest_of_the_route(
    outcome: str, branch: str, result: str
) -> None:
    ring = {
        "to": "+3221112233",
        "busy": [{"announce": "all-busy"}],
        "no_answer": [{"announce": "nobody"}],
        "unreachable": [{"announce": "gone"}],
    }
    path, came = told([{"ring": ring}, {"announce": "never-heard"}], TUESDAY_10, [Outcome(outcome)])
    assert path == ["ring +3221112233", f"announce {branch}"]
    assert came == Result(result)


@pytest.mark.parametrize("outcome", ["busy", "rejected", "no_answer", "unreachable", "failed"])
def test_without_a_branch_the_route_goes_on_and_remembers_why(outcome: str) -> None:
    route: list[Raw] = [{"ring": "+3221112233"}, {"announce": "sorry"}]
    path, result = told(route, TUESDAY_10, [Outcome(outcome)])
    assert path == ["ring +3221112233", "announce sorry"]
    assert result == Result(outcome)


def test_the_last_ring_says_what_the_call_came_to() -> None:
    route: list[Raw] = [{"ring": "+3221112233"}, {"ring": "+3221112234"}]
    assert told(route, TUESDAY_10, [BUSY, Outcome.UNREACHABLE])[1] == Result.UNREACHABLE


@pytest.mark.parametrize("reason", ["busy", "closed", "rejected", "unreachable", "failed", "no_answer"])
def test_hangup_ends_the_route_with_its_reason(reason: str) -> None:
    path, result = told([{"hangup": reason}, {"announce": "never-heard"}], TUESDAY_10, [])
    assert path == [f"hangup {reason}"]
    assert result == Result(reason)


def test_a_route_of_prompts_alone_ends_as_not_answered() -> None:
    assert told([{"announce": "welcome"}], TUESDAY_10, [])[1] == Result.NO_ANSWER


def test_without_a_holiday_branch_holidays_count_as_closed() -> None:
    route: list[Raw] = [{"hours": {"open": "daily 00:00-24:00", "closed": [{"announce": "closed"}]}}]
    assert told(route, CHRISTMAS, [])[0] == ["holiday", "announce closed"]


def test_closed_without_a_branch_ends_the_call() -> None:
    route: list[Raw] = [{"hours": "mon-fri 09:00-17:00"}, {"announce": "never-heard"}]
    assert told(route, SATURDAY, []) == (["closed"], Result.CLOSED)


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ({"announce": "welcome"}, {"announce": {"prompt": "welcome"}}),
        ({"hangup": "busy"}, {"hangup": {"reason": "busy"}}),
        ({"voicemail": "closed"}, {"voicemail": {"greeting": "closed", "seconds": "180", "silence": "5"}}),
        ({"ring": "+3221112233"}, {"ring": {"to": ["+3221112233"], "seconds": "25"}}),
        ({"ring": ["+3221112233"]}, {"ring": {"to": [{"number": "+3221112233", "present": "caller"}]}}),
        ({"hours": "daily 08:00-20:00"}, {"hours": {"open": ["daily 08:00-20:00"]}}),
    ],
)
def test_an_obvious_setting_may_stand_alone(short: Raw, long: Raw) -> None:
    assert service_number([short]) == service_number([long])


def test_a_destination_is_told_by_its_number() -> None:
    (ring,) = service_number([{"ring": {"to": {"number": "+3221112233", "present": "anonymous"}}}]).route
    assert isinstance(ring, Ring)
    assert [str(to) for to in ring.to] == ["+3221112233"]


def test_each_step_knows_its_path_in_the_file() -> None:
    number = service_number(ACME, holidays="BE")
    call = rehearse(number, number.facts(SATURDAY, UNKNOWN))
    assert [step.path for step, _ in call.steps] == [
        ("route", 0, "announce"),
        ("route", 1, "hours", "closed", 0, "voicemail"),
    ]


@given(routes)
def test_the_path_of_a_step_leads_to_it_and_survives_another_process(route: list[Raw]) -> None:
    number = pickle.loads(pickle.dumps(service_number(route)))  # noqa: S301 - ours
    assert [step.path for _, step in visit(number.route)] == [path for path, _ in visit(number.route)]


moments = st.datetimes(datetime(2024, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone


presses = st.lists(st.sampled_from(["1", "2", "0", "12", "*", "9", "timeout"]), max_size=10)


@given(routes, moments, st.lists(st.sampled_from(RING_OUTCOMES), max_size=10), presses, st.integers(1, 200))
def test_every_walk_ends_and_performs_no_more_steps_than_the_route_has(
    route: list[Raw], now: datetime, outcomes: list[Outcome], pressed: list[str], nth: int
) -> None:
    number = service_number(route, holidays=["BE", "not 2026-05-01"])
    call = rehearse(number, number.facts(now, UNKNOWN), outcomes, nth=nth, presses=pressed, live=nth % 7)
    # A step that only decides is one turn. A caller who goes back hears a menu, and what is in it, again.
    assert len(call.path) <= size(number.route) * (1 + pressed.count("*"))
    assert call.result in Result


@given(routes, moments, st.lists(st.sampled_from(RING_OUTCOMES), max_size=10))
def test_the_same_facts_and_outcomes_lead_the_same_way_again(
    route: list[Raw], now: datetime, outcomes: list[Outcome]
) -> None:
    number = service_number(route)
    again = ServiceNumber.model_validate(number.model_copy())
    assert rehearse(number, number.facts(now, UNKNOWN), outcomes) == rehearse(
        again, again.facts(now, UNKNOWN), outcomes
    )
