"""A channel in the dialplan, found by the next engine after an outage."""

import asyncio

import pytest

from dialplan.result import Outcome
from engine.ari.takeover import look
from engine.line import Ended, Returned
from journal.entries import CallStarted, Entry, HandedOver, LegEnded, LegStarted
from journal.state import CallState, fold
from tests.unit.handed_over import (
    AT,
    CALL,
    CALLER,
    HOME,
    LAST_KNOWN,
    LEG,
    OFFICE,
    STARTED,
    TO_ONE,
    TRIED,
    Caller,
    at,
    back,
    end,
)

pytestmark = pytest.mark.looptime


@pytest.fixture
async def caller() -> Caller:
    return Caller()


# After an outage.


def handed_over_before(*entries: Entry) -> CallState:
    start = CallStarted(CALL, AT, "+3270012345", "acme", False, "here", CALLER)
    return fold([start, HandedOver(CALL, at(1), (OFFICE,), 20), *entries])


LEGS: list[Entry] = [LegStarted(CALL, at(2), LEG, OFFICE), LegEnded(CALL, at(3), LEG, Outcome.BUSY, 17, 486)]


async def test_a_caller_in_our_application_came_back_to_an_engine_that_died_then(caller: Caller) -> None:
    caller.line.hand_over.begin(1)
    caller.asterisk.application = "Stasis"
    await look(caller.line, handed_over_before(*LEGS), STARTED, left_to_us=True)
    assert await caller.line.connecting(TO_ONE) == Returned(1, (TRIED,), LAST_KNOWN)
    assert caller.asterisk.commands == ["get"]


async def test_or_was_never_sent_on_and_is_now(caller: Caller) -> None:
    caller.line.hand_over.begin(1)
    caller.asterisk.application = "Stasis"
    await look(caller.line, handed_over_before(), STARTED, left_to_us=True)
    assert not caller.line.hand_over.is_active
    going_on = asyncio.create_task(caller.line.connecting(TO_ONE))
    await asyncio.sleep(1)
    assert caller.asterisk.commands == ["get", "continue_in_dialplan"]
    caller.tell(back())
    assert await going_on == Returned(1, (TRIED,), at(9))


async def test_or_is_back_by_an_event_that_had_waited(caller: Caller) -> None:
    caller.line.hand_over.begin(1)
    caller.tell(back())
    caller.asterisk.application = "Stasis"
    await look(caller.line, handed_over_before(), STARTED, left_to_us=True)
    assert await caller.line.connecting(TO_ONE) == Returned(1, (TRIED,), at(9))


async def test_the_legs_of_an_earlier_ring_do_not_say_that_this_one_was_begun(caller: Caller) -> None:
    caller.line.hand_over.begin(2)
    state = handed_over_before(*LEGS, HandedOver(CALL, at(5), (HOME,), 20))
    caller.asterisk.application = "Stasis"
    await look(caller.line, state, STARTED, left_to_us=True)
    assert not caller.line.hand_over.is_active


async def test_a_caller_who_is_not_handed_over_and_in_our_application_is_ours(caller: Caller) -> None:
    caller.asterisk.application = "Stasis"
    await look(caller.line, handed_over_before(), STARTED, left_to_us=True)
    caller.line.alive()
    assert caller.asterisk.commands == ["get"]


async def test_a_conversation_goes_on(caller: Caller) -> None:
    caller.line.hand_over.begin(1)
    await look(caller.line, handed_over_before(*LEGS), STARTED, left_to_us=True)
    caller.line.alive()
    assert caller.line.hand_over.is_active


@pytest.mark.parametrize("handed_over", [True, False])
async def test_a_call_that_is_nowhere_ended_with_asterisk(caller: Caller, handed_over: bool) -> None:
    if handed_over:
        caller.line.hand_over.begin(1)
    caller.asterisk.exists = False
    await look(caller.line, handed_over_before(), STARTED, left_to_us=True)
    assert await caller.line.ended == Ended(LAST_KNOWN, 127, lost=True)


async def test_a_caller_who_has_left_the_application_without_us_is_at_the_fallback(caller: Caller) -> None:
    await look(caller.line, handed_over_before(), STARTED, left_to_us=True)
    assert await caller.line.ended == Ended(LAST_KNOWN, 16)


@pytest.mark.parametrize("known", ["ended", "over"])
async def test_of_a_call_whose_end_is_known_nothing_is_asked(caller: Caller, known: str) -> None:
    if known == "ended":
        caller.tell(end(3))
    else:
        caller.line.on_cel_end(at(3))
    await look(caller.line, handed_over_before(), STARTED, left_to_us=True)
    assert caller.asterisk.commands == []
    assert not caller.line.ended.done() or caller.line.ended.result() == Ended(at(3), 16)


async def test_a_hand_over_of_our_own_that_is_just_on_its_way_is_left_alone(caller: Caller) -> None:
    """The link was cut between the command and the channel's leaving: nobody else has handed it over."""
    caller.line.hand_over.begin(1)
    caller.asterisk.application = "Stasis"
    await look(caller.line, handed_over_before(), STARTED, left_to_us=False)
    assert caller.line.hand_over.is_active
