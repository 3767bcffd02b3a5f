"""Stories of calls, on a line without a telephone and a clock that jumps."""

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any

import pytest

from dialplan.caller import WITHHELD
from dialplan.number import Owner
from dialplan.result import Outcome
from engine.call_journal import begin
from engine.call_terms import CallTerms
from journal.entries import Answered, CallStarted, Entry, HandedOver, StepPerformed, Turned
from tests.unit.fake_dial import START, Answers, Says, now
from tests.unit.fake_services import FakeCallServices, attend, take_over
from tests.unit.routes import service_number
from tests.unit.stories import (
    COLLEAGUE,
    EVERYBODY,
    HOME,
    OFFICE,
    PROMPT_SECONDS,
    WELCOME_THEN_OFFICE,
    called,
    end,
    ended_after,
    line,
    outcomes,
    performed,
    prompt,
    talk,
    terms_of,
)

pytestmark = pytest.mark.looptime


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine's clock is Asterisk's."""
    monkeypatch.setattr("engine.call.now", now)


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


async def test_of_several_the_first_to_answer_gets_the_call_and_the_others_are_end_legs() -> None:
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

    def append(self, entry: Entry) -> Awaitable[None]:
        if not isinstance(entry, StepPerformed):
            return super().append(entry)
        self.entries.append(entry)
        raise ValueError("a bug outside of any step")


async def test_a_crash_outside_of_any_step_ends_the_call_with_a_goodbye_and_a_record() -> None:
    caller = line()
    state = await attend(caller, ForgetsSteps(terms_of(WELCOME_THEN_OFFICE)))
    assert caller.heard == ["welcome", "hung up: failed"]
    assert end(state) == ("failed", "engine", 38)


class SlowDisk(FakeCallServices):
    """A journal whose entries are on the disk a second after they are written."""

    def append(self, entry: Entry) -> Awaitable[None]:
        super().append(entry)
        return asyncio.ensure_future(asyncio.sleep(1))


async def test_the_engine_hangs_up_once_the_last_step_is_on_the_disk() -> None:
    caller = line()
    work = asyncio.create_task(attend(caller, SlowDisk(terms_of([{"hangup": "busy"}]))))
    await asyncio.sleep(0.9)
    assert caller.heard == []
    await work
    assert caller.heard == ["hung up: busy"]


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
    services.append(Answered(caller.call_id, START - timedelta(seconds=30)))
    state = await take_over(caller, services)
    (connect,) = caller.handed_over
    assert (connect.answered, connect.limit) == (True, 90)
    assert caller.heard == ["ringing", f"talking to {OFFICE}"]
    assert end(state) == ("answered", "limit", 16)
    assert state.answered == START - timedelta(seconds=30)
