"""Stories of calls, on a line without a telephone and a clock that jumps."""

import asyncio
from collections.abc import Awaitable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dialplan.caller import WITHHELD
from dialplan.number import Owner
from dialplan.prompt import Prompt
from dialplan.result import Outcome
from engine.call import CallTerms, begin
from journal.entries import Answered, CallStarted, Entry, HandedOver, StepPerformed, Turned
from journal.state import CallState
from tests.unit.fakes import (
    FALLBACK,
    START,
    Answers,
    FakeCallServices,
    FakeLine,
    Says,
    attend,
    leave_after,
    now,
    take_over,
)
from tests.unit.routes import service_number

pytestmark = pytest.mark.looptime

OFFICE, COLLEAGUE, HOME = "+32470111221", "+32470111222", "+32470111223"
PROMPT_SECONDS = 3.0
WELCOME_THEN_OFFICE = [{"announce": "welcome"}, {"ring": OFFICE}]
EVERYBODY = [
    {"announce": "welcome"},
    {"ring": {"to": OFFICE, "busy": [{"announce": "busy"}, {"ring": COLLEAGUE}, {"ring": HOME}]}},
]


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine's clock is Asterisk's."""
    monkeypatch.setattr("engine.call.now", now)


def terms_of(route: Sequence[Any], **settings: Any) -> CallTerms:
    """What was agreed for a number with this route; every prompt but `lost` is there."""
    number = service_number(list(route), **settings)
    return CallTerms(number, Owner(name="ACME"), prompt, timedelta(hours=4), routing="d1")


def prompt(name: str) -> Prompt | None:
    return None if name == "lost" else Prompt(name, Path(f"{name}.wav"), PROMPT_SECONDS, "")


def line(hangs_up_after: float | None = None, /, **settings: Any) -> FakeLine:
    """A caller for whom the office is busy, the colleague does not answer, and home answers after 2 s."""
    destinations = {OFFICE: Says(Outcome.BUSY), COLLEAGUE: Says(Outcome.NO_ANSWER, 5), HOME: Answers()}
    return FakeLine(destinations | settings.pop("where", {}), hangs_up_after, **settings)


async def called(caller: FakeLine, terms: CallTerms | None) -> tuple[FakeCallServices, CallState]:
    """The whole call: its journal and its state."""
    services = FakeCallServices(terms)
    return services, await attend(caller, services)


def performed(services: FakeCallServices) -> list[tuple[str, str]]:
    return [(entry.step, entry.outcome.value) for entry in services.of(StepPerformed)]


def end(state: CallState) -> tuple[str, str, int | None]:
    assert state.ending is not None
    return state.ending.outcome, state.ending.ended_by, state.ending.cause


def ended_after(state: CallState) -> timedelta:
    assert state.ending is not None
    return state.ending.at - state.began


def talk(state: CallState) -> timedelta:
    assert state.ending is not None
    assert state.connected is not None
    return state.ending.at - state.connected.at


def outcomes(state: CallState) -> list[tuple[str, str | None]]:
    return [(leg.to, leg.outcome) for leg in state.legs.values()]


async def test_the_caller_hears_the_prompt_then_it_rings_then_they_talk_until_the_destination_hangs_up() -> (
    None
):
    caller = line(where={OFFICE: Answers(after=2, talks=60)})
    services, state = await called(caller, terms_of(WELCOME_THEN_OFFICE))
    assert caller.heard == ["welcome", "ringing", "answered", f"talking to {OFFICE}"]
    assert end(state) == ("answered", "destination", 16)
    assert state.answered is not None
    assert state.answered - state.began == timedelta(seconds=PROMPT_SECONDS + 2)
    assert talk(state) == timedelta(seconds=60)
    assert performed(services) == [("announce", "done"), ("ring", "taken")]


async def test_a_ring_is_handed_over_as_the_route_says_it() -> None:
    caller = line(where={OFFICE: Answers()})
    services, _ = await called(caller, terms_of([{"ring": {"to": [OFFICE, HOME], "seconds": 20}}]))
    (connect,) = caller.handed_over
    assert [one.number for one in connect.to] == [OFFICE, HOME]
    assert (connect.number, connect.seconds, connect.limit) == (1, 20, 4 * 3600)
    assert (connect.answered, connect.recorder) == (False, None)
    (entry,) = services.of(HandedOver)
    assert (entry.to, entry.seconds, entry.recorder) == ((OFFICE, HOME), 20, None)
    assert entry.at == START


async def test_each_ring_of_a_call_has_its_number() -> None:
    caller = line()
    await called(caller, terms_of(EVERYBODY))
    assert [connect.number for connect in caller.handed_over] == [1, 2, 3]


async def test_a_caller_who_hangs_up_while_talking_has_been_answered() -> None:
    _, state = await called(line(15, where={OFFICE: Answers()}), terms_of(WELCOME_THEN_OFFICE))
    assert end(state) == ("answered", "caller", 16)
    assert talk(state) == timedelta(seconds=15 - PROMPT_SECONDS - 2)
    assert outcomes(state) == [(OFFICE, "taken")]


@pytest.mark.parametrize(
    ("seconds", "heard", "legs"),
    [
        (1, ["welcome"], []),
        (3.5, ["welcome", "ringing"], ["no_answer"]),
        (5, ["welcome", "ringing", "busy"], ["busy"]),
        (8, ["welcome", "ringing", "busy", "ringing"], ["busy", "no_answer"]),
    ],
)
async def test_a_caller_may_give_up_in_any_step(seconds: float, heard: list[str], legs: list[str]) -> None:
    caller = line(seconds)
    _, state = await called(caller, terms_of(EVERYBODY))
    assert caller.heard == heard
    assert end(state) == ("abandoned", "caller", 16)
    assert ended_after(state) == timedelta(seconds=seconds)
    assert [outcome for _, outcome in outcomes(state)] == legs
    assert (state.answered, state.connected) == (None, None)


async def test_who_is_busy_leads_into_the_branch_which_is_the_rest_of_the_route() -> None:
    services, state = await called(line(), terms_of([*EVERYBODY, {"announce": "never"}]))
    assert performed(services) == [
        ("announce", "done"),
        ("ring", "busy"),
        ("announce", "done"),
        ("ring", "no_answer"),
        ("ring", "taken"),
    ]
    assert outcomes(state) == [(OFFICE, "busy"), (COLLEAGUE, "no_answer"), (HOME, "taken")]


async def test_of_several_the_first_to_answer_gets_the_call_and_the_others_are_let_go() -> None:
    where = {OFFICE: Answers(after=9), COLLEAGUE: Answers(after=4), HOME: Says(Outcome.BUSY)}
    _, state = await called(line(where=where), terms_of([{"ring": {"to": [OFFICE, COLLEAGUE, HOME]}}]))
    assert state.connected is not None
    assert state.legs[state.connected.leg].to == COLLEAGUE
    assert dict(outcomes(state)) == {OFFICE: "no_answer", COLLEAGUE: "taken", HOME: "busy"}


async def test_when_nobody_answers_the_caller_is_told_what_came_of_the_last_attempt() -> None:
    caller = line()
    _, state = await called(caller, terms_of([{"ring": COLLEAGUE}, {"ring": OFFICE}]))
    assert caller.heard[-1] == "hung up: busy"
    assert end(state) == ("busy", "engine", 17)


async def test_of_several_whom_nobody_answered_who_was_rung_counts_more_than_who_was_busy() -> None:
    where = {OFFICE: Says(Outcome.BUSY), COLLEAGUE: Answers(after=100)}
    _, state = await called(line(where=where), terms_of([{"ring": {"to": [OFFICE, COLLEAGUE]}}]))
    assert end(state) == ("no_answer", "engine", 19)


@pytest.mark.parametrize(
    ("where", "to", "outcome"),
    [({}, ["+32470000009"], "failed"), ({OFFICE: Says(Outcome.BUSY)}, ["+32470000009", OFFICE], "busy")],
)
async def test_a_destination_that_could_not_be_dialled_at_all_is_an_attempt_that_failed(
    where: dict[str, Any], to: list[str], outcome: str
) -> None:
    services, state = await called(line(where=where), terms_of([{"ring": {"to": to}}]))
    assert performed(services) == [("ring", outcome)]
    leg = state.legs["0199-call-n100"]
    assert (leg.to, leg.outcome, leg.cause) == ("+32470000009", "failed", 38)
    assert len(state.legs) == len(to)


async def test_a_route_may_end_the_call_and_say_why() -> None:
    caller = line()
    _, state = await called(caller, terms_of([{"announce": "closed"}, {"hangup": "closed"}]))
    assert caller.heard == ["closed", "hung up: closed"]
    assert (end(state), state.legs) == (("closed", "engine", 19), {})


async def test_outside_the_hours_the_turn_and_its_reason_are_noted() -> None:
    services, state = await called(line(), terms_of([{"hours": "sun 00:00-00:01"}, {"ring": HOME}]))
    assert end(state)[0] == "closed"
    (turn,) = services.of(Turned)
    assert turn.step == "hours"
    assert turn.why


async def test_a_number_that_is_not_ours_is_turned_away_and_has_a_record_without_an_owner() -> None:
    caller = line()
    _, state = await called(caller, None)
    assert caller.heard == ["no such number"]
    assert (end(state), state.owner) == (("failed", "engine", 1), "")


@pytest.mark.parametrize(("minutes", "longest"), [(1, 240), (240, 1)])
async def test_the_longest_call_ends_by_whichever_limit_is_shorter(minutes: int, longest: int) -> None:
    number = service_number([{"ring": HOME}], max_minutes=minutes)
    terms = CallTerms(number, Owner(name="ACME"), prompt, timedelta(minutes=longest))
    _, state = await called(line(where={HOME: Answers(talks=10_000)}), terms)
    assert end(state) == ("answered", "limit", 16)
    assert talk(state) == timedelta(minutes=1)


async def test_a_step_that_crashes_has_failed_and_the_caller_gets_the_next() -> None:
    caller = line(where={OFFICE: Answers()}, breaks_on="welcome")
    services, state = await called(caller, terms_of(WELCOME_THEN_OFFICE))
    assert performed(services) == [("announce", "failed"), ("ring", "taken")]
    assert end(state)[0] == "answered"


async def test_a_prompt_that_is_not_there_is_left_out() -> None:
    caller = line(where={OFFICE: Answers()})
    services, state = await called(caller, terms_of([{"announce": "lost"}, {"ring": OFFICE}]))
    assert performed(services) == [("announce", "failed"), ("ring", "taken")]
    assert end(state)[0] == "answered"


class ForgetsSteps(FakeCallServices):
    """Call services with a bug."""

    def note(self, entry: Entry) -> Awaitable[None]:
        if not isinstance(entry, StepPerformed):
            return super().note(entry)
        self.entries.append(entry)
        raise ValueError("a bug outside of any step")


async def test_a_crash_outside_of_any_step_ends_the_call_with_a_goodbye_and_a_record() -> None:
    caller = line()
    state = await attend(caller, ForgetsSteps(terms_of(WELCOME_THEN_OFFICE)))
    assert caller.heard == ["welcome", "hung up: failed"]
    assert end(state) == ("failed", "engine", 38)


async def test_a_withheld_caller_is_noted_as_such_and_without_a_number() -> None:
    _, state = await called(line(caller=WITHHELD), terms_of([{"ring": HOME}]))
    assert (state.caller, state.withheld) == ("", True)


async def test_the_journal_begins_with_the_start_and_ends_with_the_end() -> None:
    services, _ = await called(line(), terms_of(EVERYBODY))
    assert (services.kinds[0], services.kinds[-1]) == ("CallStarted", "CallEnded")
    assert services.kinds.count("CallStarted") == services.kinds.count("CallEnded") == 1
    assert {getattr(entry, "call", "") for entry in services.entries} == {"0199-call"}
    (start,) = services.of(CallStarted)
    assert (start.routing, start.node, start.channel) == ("d1", "test1", "asterisk-1")


# Answered before it rings.


async def test_a_caller_who_was_answered_before_hears_ringing_as_sound_and_has_talked_since() -> None:
    caller = line(where={OFFICE: Answers(talks=10_000)})
    services = FakeCallServices(terms := terms_of([{"ring": OFFICE}], max_minutes=2))
    begin(caller, terms, services)
    services.note(Answered(caller.call_id, START - timedelta(seconds=30)))
    state = await take_over(caller, services)
    (connect,) = caller.handed_over
    assert (connect.answered, connect.limit) == (True, 90)
    assert caller.heard == ["ringing", f"talking to {OFFICE}"]
    assert end(state) == ("answered", "limit", 16)
    assert state.answered == START - timedelta(seconds=30)


# An engine that does not live to see the end.


@pytest.mark.parametrize("seconds", [1, 3.5, 20], ids=["announcing", "ringing", "talking"])
async def test_a_call_that_is_cancelled_goes_on_without_us(seconds: float) -> None:
    caller, services = line(where={OFFICE: Answers(after=2)}), FakeCallServices(terms_of(WELCOME_THEN_OFFICE))
    await leave_after(seconds, caller, services)
    assert not caller.ended.done()
    assert not [words for words in caller.heard if words.startswith("hung up")]
    assert not {"CallEnded", "LegEnded", "CallerLeft"} & set(services.kinds)


STORY = ["welcome", "ringing", "busy", "ringing", "ringing", "answered", f"talking to {HOME}"]


@pytest.mark.parametrize(
    ("seconds", "heard"),
    [
        (1, STORY),  # it begins the welcome anew
        (3.5, STORY[2:]),
        (5, STORY[2:]),
        (7.5, STORY[4:]),
        (13, STORY[5:]),
        (20, []),
    ],
)
async def test_the_next_engine_goes_on_where_the_call_is(seconds: float, heard: list[str]) -> None:
    """It is there 0.4 s later. A ring that goes on is waited for; one that came back meanwhile is over."""
    caller, services = line(), FakeCallServices(terms_of(EVERYBODY))
    await leave_after(seconds, caller, services)
    state = await take_over(caller, services)
    assert caller.heard == heard
    assert end(state) == ("answered", "destination", 16)
    assert outcomes(state) == [(OFFICE, "busy"), (COLLEAGUE, "no_answer"), (HOME, "taken")]
    assert len(caller.handed_over) == len(state.handovers) == 3


async def test_a_conversation_taken_over_is_neither_answered_nor_counted_twice() -> None:
    caller = line(where={HOME: Answers(talks=10_000)})
    services = FakeCallServices(terms_of([{"ring": HOME}], max_minutes=1))
    await leave_after(50, caller, services)
    state = await take_over(caller, services)
    assert caller.heard == []
    assert (end(state), talk(state)) == (("answered", "limit", 16), timedelta(minutes=1))


async def test_a_conversation_that_ended_without_an_engine_has_its_whole_record() -> None:
    caller, services = (
        line(where={OFFICE: Answers(talks=60)}),
        FakeCallServices(terms_of(WELCOME_THEN_OFFICE)),
    )
    await leave_after(20, caller, services)
    await asyncio.sleep(100)
    state = await take_over(caller, services)
    assert caller.heard == []
    assert (end(state), talk(state)) == (("answered", "destination", 16), timedelta(seconds=60))


async def test_a_ring_that_was_noted_and_never_begun_begins_with_the_next_engine() -> None:
    caller, services = (
        line(where={OFFICE: Answers()}),
        FakeCallServices(terms := terms_of([{"ring": OFFICE}])),
    )
    begin(caller, terms, services)
    services.note(HandedOver(caller.call_id, START, (OFFICE,), 25))
    state = await take_over(caller, services)
    assert [connect.number for connect in caller.handed_over] == [1]
    assert len(state.handovers) == 1
    assert end(state)[0] == "answered"


PAST = [Outcome.DONE, Outcome.BUSY, Outcome.DONE, Outcome.NO_ANSWER]
STILL_TO_HEAR = ["welcome", "ringing", "busy", "ringing", "ringing"]


@pytest.mark.parametrize("count", range(len(PAST) + 1))
async def test_what_has_been_performed_leads_back_to_the_step_where_the_call_was(count: int) -> None:
    caller, services = line(), FakeCallServices(terms := terms_of(EVERYBODY))
    begin(caller, terms, services)
    for place, outcome in enumerate(PAST[:count]):
        services.note(StepPerformed(caller.call_id, "any", outcome, at=START - timedelta(seconds=9 - place)))
    state = await take_over(caller, services)
    assert [words for words in caller.heard if words in STILL_TO_HEAR] == STILL_TO_HEAR[count:]
    assert state.outcomes == [*PAST, Outcome.TAKEN]
    assert end(state)[0] == "answered"


# Without an engine that answers in time.


@pytest.mark.parametrize(
    ("fallback", "ending"),
    [
        (Answers(talks=30), ("answered", "destination", 16)),
        (Answers(talks=300), ("answered", "caller", 16)),
        (Says(Outcome.BUSY), ("busy", "engine", 17)),
        (Answers(after=60), ("no_answer", "engine", 19)),
        (Says(Outcome.NO_ANSWER, 29.9), ("no_answer", "engine", 19)),
        (None, ("unreachable", "engine", 34)),
    ],
)
async def test_a_caller_taken_to_the_fallback_by_asterisk_was_not_abandoned(
    fallback: Answers | Says | None, ending: tuple[str, str, int]
) -> None:
    caller = line(200, falls_back_after=1, fallback=fallback)
    _, state = await called(caller, terms_of(WELCOME_THEN_OFFICE))
    assert end(state) == ending
    assert [to for to, _ in outcomes(state)] == ([FALLBACK] if fallback else [])
    assert "hung up" not in "".join(caller.heard)


async def test_a_caller_who_gives_up_at_the_fallback_has_abandoned_the_call() -> None:
    caller = line(5, falls_back_after=1, fallback=Answers(after=20))
    _, state = await called(caller, terms_of(WELCOME_THEN_OFFICE))
    assert end(state) == ("abandoned", "caller", 16)
    assert ended_after(state) == timedelta(seconds=5)


async def test_the_next_engine_leaves_a_caller_at_the_fallback_to_asterisk() -> None:
    caller, services = (
        line(falls_back_after=1, fallback=Answers()),
        FakeCallServices(terms_of(WELCOME_THEN_OFFICE)),
    )
    await leave_after(0.5, caller, services)
    await asyncio.sleep(1)
    state = await take_over(caller, services)
    assert caller.heard == ["answered", f"talking to {FALLBACK}"]
    assert end(state) == ("answered", "destination", 16)


# With Asterisk itself.


@pytest.mark.parametrize(("seconds", "outcome"), [(1, "lost"), (4, "lost"), (20, "lost")])
async def test_a_call_is_lost_with_its_asterisk_at_the_last_instant_that_is_known(
    seconds: float, outcome: str
) -> None:
    caller = line(seconds, where={OFFICE: Answers()}, lost=True)
    _, state = await called(caller, terms_of(WELCOME_THEN_OFFICE))
    assert end(state)[:2] == (outcome, "lost")
    assert ended_after(state) == timedelta(seconds=seconds)
