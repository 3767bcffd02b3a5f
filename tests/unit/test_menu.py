"""`menu`: keys to branches, as tables; and a caller who presses them, early, late or not at all."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialplan.caller import UNKNOWN
from dialplan.rehearse import rehearse
from dialplan.result import Outcome, Result
from dialplan.step import StepModel
from dialplan.steps.menu import MOST_ROUNDS, Menu
from journal.entries import Answered, MessageStarted, StepPerformed
from storage.records import call_record, messages
from tests.unit.fake_dial import Answers, now
from tests.unit.fake_services import FakeCallServices, leave_after, take_over
from tests.unit.fakes import FakeLine
from tests.unit.routes import Raw, service_number
from tests.unit.stories import OFFICE, PROMPT_SECONDS, called, end, performed, terms_of
from tests.unit.test_walk import TUESDAY_10, said


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine's clock is Asterisk's."""
    monkeypatch.setattr("engine.call.now", now)


INNER: Raw = {
    "menu": {"prompt": "inner", "keys": {"1": [{"announce": "inner-one"}], "12": [{"announce": "twelve"}]}}
}
ROUTE: list[Raw] = [
    {
        "menu": {
            "prompt": "choose",
            "keys": {
                "1": [{"announce": "one"}],
                "2": [INNER, {"announce": "behind"}],
                "#": [{"hangup": "busy"}],
            },
            "invalid": [{"announce": "wrong"}],
            "timeout": [{"announce": "nobody"}],
        }
    },
    {"announce": "on"},
]
KEYS_ALONE: list[Raw] = [
    {"menu": {"prompt": "choose", "keys": {"1": [{"announce": "one"}]}}},
    {"announce": "on"},
]


@pytest.mark.parametrize(
    ("route", "presses", "heard"),
    [
        (ROUTE, ["1"], ["choose", "one"]),
        (ROUTE, ["#"], ["choose"]),
        (ROUTE, ["9"], ["choose", "wrong"]),
        (ROUTE, ["12"], ["choose", "wrong"]),
        (ROUTE, ["timeout"], ["choose", "nobody"]),
        (ROUTE, [], ["choose", "nobody"]),
        (ROUTE, ["2", "1"], ["choose", "inner", "inner-one"]),
        (ROUTE, ["2", "12"], ["choose", "inner", "twelve"]),
        (ROUTE, ["2", "5"], ["choose", "inner", "behind"]),
        (ROUTE, ["2"], ["choose", "inner", "behind"]),
        (ROUTE, ["2", "*", "1"], ["choose", "inner", "choose", "one"]),
        (ROUTE, ["*", "*", "1"], ["choose", "choose", "choose", "one"]),
        (ROUTE, ["*"] * 50, ["choose"] * MOST_ROUNDS + ["on"]),
        (ROUTE, ["2", "*"] * 50, ["choose", "inner"] * MOST_ROUNDS + ["on"]),
        (KEYS_ALONE, ["1"], ["choose", "one"]),
        (KEYS_ALONE, ["9"], ["choose", "on"]),
        (KEYS_ALONE, [], ["choose", "on"]),
    ],
)
def test_keys_lead_into_their_branches(route: list[Raw], presses: list[str], heard: list[str]) -> None:
    number = service_number(route)
    call = rehearse(number, number.facts(TUESDAY_10, UNKNOWN), presses=presses)
    assert list(call.hears) == heard


def test_a_menu_that_fails_is_one_in_which_nothing_was_pressed() -> None:
    number = service_number(ROUTE)
    plan = number.plan(number.facts(TUESDAY_10, UNKNOWN))
    next(plan)
    step = plan.send(Outcome.FAILED)
    assert isinstance(step, StepModel)
    assert said(step) == "announce nobody"


def menu(*keys: str) -> Menu:
    (step,) = service_number(
        [{"menu": {"prompt": "p", "keys": {key: [{"hangup": "busy"}] for key in keys}}}]
    ).route
    assert isinstance(step, Menu)
    return step


@pytest.mark.parametrize(
    ("keys", "pressed", "entry"),
    [
        ("1 2", "1", "1"),
        ("1 2", "3", "invalid"),
        ("1 2", "*", "*"),
        ("1 2", "#", "invalid"),
        ("1 #", "#", "#"),
        ("1 *", "*", "*"),
        ("1 101", "1", None),
        ("1 101", "1#", "1"),
        ("1 101", "10", None),
        ("1 101", "10#", "invalid"),
        ("1 101", "101", "101"),
        ("1 101", "12", "invalid"),
        ("1 101", "1*", "invalid"),
        ("12345678", "1234567", None),
        ("12345678", "123456789", "invalid"),
    ],
)
def test_an_entry_is_whole_when_no_key_can_follow_or_at_the_end_key(
    keys: str, pressed: str, entry: str | None
) -> None:
    assert menu(*keys.split()).entered(pressed) == entry


@given(
    st.sets(st.text("0123456789", min_size=1, max_size=8), min_size=1, max_size=20),
    st.text("0123456789*#", min_size=1),
)
def test_whatever_is_pressed_amounts_to_a_key_with_steps_or_to_nothing(keys: set[str], pressed: str) -> None:
    step = menu(*sorted(keys))
    answers = {step.entered(pressed), step.ended(pressed)}
    assert answers <= {*keys, "*", "invalid", None}
    if pressed in keys:
        assert step.ended(pressed) == pressed


# A caller on a line.


def fake(*presses: tuple[float, str], hangs_up_after: float | None = None) -> FakeLine:
    return FakeLine({OFFICE: Answers()}, hangs_up_after, presses=presses)


def menu_route(**settings: object) -> Sequence[Raw]:
    keys = {"1": [{"ring": OFFICE}], "2": [{"announce": "two"}], "101": [{"announce": "long"}]}
    return [{"menu": {"prompt": "choose", "keys": keys, **settings}}, {"announce": "on"}]


@pytest.mark.looptime
@pytest.mark.parametrize("at", [0.5, PROMPT_SECONDS - 0.5, PROMPT_SECONDS + 4.5])
async def test_a_key_counts_from_the_first_moment_of_the_prompt_to_the_last_of_the_time_to_think(
    at: float,
) -> None:
    line = fake((at, "2"))
    services, state = await called(line, terms_of(menu_route()))
    assert line.heard == ["choose", "two", "hung up: no_answer"]
    assert performed(services) == [("menu", "done"), ("announce", "done")]
    assert (state.choices, state.answered) == (("2",), None)
    assert state.ending is not None
    assert (state.ending.at - state.began).total_seconds() == pytest.approx(at + PROMPT_SECONDS)


@pytest.mark.looptime
async def test_a_caller_who_presses_nothing_hears_the_prompt_again_as_often_as_there_are_tries() -> None:
    line = fake()
    await called(line, terms_of(menu_route(tries=2, seconds=7)))
    assert line.heard == ["choose", "choose", "on", "hung up: no_answer"]


@pytest.mark.looptime
async def test_a_wrong_key_is_a_try_and_then_the_right_one_counts() -> None:
    line = fake((1, "9"), (2, "2"))
    services, _ = await called(line, terms_of(menu_route()))
    assert line.heard == ["choose", "choose", "two", "hung up: no_answer"]
    assert [step.choice for step in services.of(StepPerformed)] == ["2", ""]


@pytest.mark.looptime
@pytest.mark.parametrize(
    ("presses", "heard"),
    [
        ([(1, "1"), (2, "0"), (3, "1")], "long"),
        ([(1, "101")], "long"),
        ([(1, "1"), (2, "#")], "ringing"),
        ([(1, "1")], "ringing"),
        ([(1, "1"), (3.9, "01")], "long"),
    ],
)
async def test_several_digits_are_one_entry(presses: list[tuple[float, str]], heard: str) -> None:
    line = fake(*presses)
    await called(line, terms_of(menu_route()))
    assert line.heard[:2] == ["choose", heard]


@pytest.mark.looptime
async def test_keys_pressed_before_the_first_menu_do_not_count_and_those_between_two_menus_do() -> None:
    route = [{"announce": "welcome"}, *ROUTE]
    line = fake((1, "1"), (PROMPT_SECONDS + 1, "21#"))
    await called(line, terms_of(route))
    assert line.heard == ["welcome", "choose", "inner", "inner-one", "hung up: no_answer"]


@pytest.mark.looptime
async def test_a_flood_of_keys_is_one_wrong_entry() -> None:
    line = fake((1, "9" * 1000))
    await called(line, terms_of(ROUTE))
    assert line.heard == ["choose", "choose", "choose", "nobody", "hung up: no_answer"]


@pytest.mark.looptime
async def test_with_answer_the_charging_begins_before_the_prompt_and_a_caller_who_leaves_has_abandoned() -> (
    None
):
    line = fake(hangs_up_after=2)
    services, state = await called(line, terms_of(menu_route(answer="true")))
    assert line.heard == ["answered", "choose"]
    (answered,) = services.of(Answered)
    assert (answered.at, answered.to) == (state.began, "menu")
    assert end(state) == ("abandoned", "caller", 16)
    record = call_record(state)
    assert (record.answered, record.delivered_to) == (state.began, "")


@pytest.mark.looptime
async def test_a_caller_who_was_answered_by_a_menu_and_connected_has_talked() -> None:
    line = fake((1, "1"), (2, "#"))
    _, state = await called(line, terms_of(menu_route(answer="true")))
    assert line.heard[:4] == ["answered", "choose", "ringing", f"talking to {OFFICE}"]
    assert end(state)[0] == Result.ANSWERED
    assert call_record(state).delivered_to == OFFICE


@pytest.mark.looptime
async def test_the_message_of_a_caller_tells_the_owner_which_keys_were_pressed() -> None:
    route = [{"menu": {"prompt": "choose", "keys": {"3": [{"voicemail": {}}]}}}]
    line = fake((1, "3"))
    services, state = await called(line, terms_of(route))
    (begun,) = services.of(MessageStarted)
    assert begun.deliver["path"] == ("3",)
    assert messages(state)[0].kind == "voicemail"
    assert end(state)[0] == "voicemail"


@pytest.mark.looptime
async def test_a_prompt_that_is_lost_leaves_the_keys() -> None:
    line = fake((1, "2"))
    await called(line, terms_of(menu_route(prompt="lost")))
    assert line.heard == ["two", "hung up: no_answer"]


@pytest.mark.looptime
@pytest.mark.parametrize(("killed_at", "heard"), [(1, ["choose", "two"]), (5, ["two"])])
async def test_after_a_crash_a_menu_is_heard_again_unless_the_caller_had_chosen(
    killed_at: float, heard: list[str]
) -> None:
    line = fake((4, "2"))
    services = FakeCallServices(terms_of(menu_route(tries=1)))
    await leave_after(killed_at, line, services)
    await take_over(line, services)
    assert line.heard == [*heard, "hung up: no_answer"]
