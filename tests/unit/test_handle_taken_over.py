"""Stories of calls whose engine, or Asterisk, does not live to see the end."""

import asyncio
from datetime import timedelta

import pytest

from dialplan.result import Outcome
from engine.call_journal import begin
from journal.entries import HandedOver, StepPerformed
from tests.unit.fake_dial import START, Answers, Says, now
from tests.unit.fake_services import FakeCallServices, leave_after, take_over
from tests.unit.fakes import FALLBACK
from tests.unit.stories import (
    COLLEAGUE,
    EVERYBODY,
    HOME,
    OFFICE,
    WELCOME_THEN_OFFICE,
    called,
    end,
    ended_after,
    line,
    outcomes,
    talk,
    terms_of,
)

pytestmark = pytest.mark.looptime


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine's clock is Asterisk's."""
    monkeypatch.setattr("engine.call.now", now)


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
    services.append(HandedOver(caller.call_id, START, (OFFICE,), 25))
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
        services.append(
            StepPerformed(caller.call_id, "any", outcome, at=START - timedelta(seconds=9 - place))
        )
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
