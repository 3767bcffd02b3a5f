"""A channel in the dialplan: what ends its conversation, and what ends the call."""

import asyncio

import pytest

from dialplan.result import Result
from engine.ari.errors import Gone, Unavailable
from engine.ari.events import ChannelDestroyed
from engine.ari.line import ASKED_SECONDS, GIVEN_UP_SECONDS, REPORTED_SECONDS
from engine.line import Ended, HungUp
from tests.unit.handed_over import LAST_KNOWN, TO_TWO, Caller, at, channel, end, hung_up, loop_time

pytestmark = pytest.mark.looptime


@pytest.fixture
async def caller() -> Caller:
    return Caller()


# What ends a conversation.


async def test_cel_tells_the_end_of_a_conversation(caller: Caller) -> None:
    going_on = await caller.handed_over()
    caller.line.on_cel_end(at(60))
    assert await hung_up(going_on) == Ended(at(60), 16)
    assert await caller.line.over() == Ended(at(60), 16)


async def test_the_end_of_the_channel_that_ari_tells_is_left_to_cel(caller: Caller) -> None:
    going_on = await caller.handed_over(TO_TWO)
    caller.tell(ChannelDestroyed(at(60), channel(), 16))
    await asyncio.sleep(1)
    assert not going_on.done()
    caller.line.on_cel_end(at(60.5))
    assert await hung_up(going_on) == Ended(at(60.5), 16)


async def test_a_conversation_of_which_cel_says_nothing_is_given_up_when_its_channel_is_gone(
    caller: Caller,
) -> None:
    going_on = await caller.handed_over()
    await asyncio.sleep(ASKED_SECONDS * 5 + 1)
    assert not going_on.done()
    caller.asterisk.exists = False
    assert await hung_up(going_on) == Ended(LAST_KNOWN, 127, lost=True)
    assert loop_time() == pytest.approx(ASKED_SECONDS * 6 + GIVEN_UP_SECONDS, abs=0.1)


async def test_an_asterisk_that_cannot_be_asked_may_still_have_it(caller: Caller) -> None:
    going_on = await caller.handed_over()
    caller.asterisk.exists = Unavailable(0, "no reply")
    await asyncio.sleep(ASKED_SECONDS * 5)
    assert not going_on.done()
    caller.line.on_cel_end(at(60))
    assert (await hung_up(going_on)).lost is False


# The end.


async def test_the_end_is_what_cel_tells_within_moments(caller: Caller) -> None:
    caller.tell(end(3))
    asyncio.get_running_loop().call_later(0.01, caller.line.on_cel_end, at(3.001))
    assert await caller.line.over() == Ended(at(3), 16)
    assert caller.asterisk.commands == []


async def test_asterisk_died_in_a_conversation_that_was_taken_for_the_fallback(caller: Caller) -> None:
    """The engine before was killed before it had noted the hand-over; the caller left our application."""
    caller.tell(end(3))
    caller.line.lose_with_asterisk(at(60))
    assert await caller.line.over() == Ended(at(60), 127, lost=True)


async def test_a_caller_whom_asterisk_no_longer_has_ended_when_it_died_and_not_when_that_was_noticed(
    caller: Caller,
) -> None:
    """Asterisk has died and is back; a step's command comes before its restart has been noticed."""
    with pytest.raises(HungUp):
        await caller.line.command(gone())
    assert not caller.line.ended.done()
    over = asyncio.create_task(caller.line.over())
    await asyncio.sleep(1)
    caller.line.lose(at(3))
    caller.line.on_cel_end(at(3))
    assert await over == Ended(at(3), 127, lost=True)


async def gone() -> None:
    raise Gone(404, "no such channel")


async def test_while_its_channel_exists_a_call_is_not_over(caller: Caller) -> None:
    """The caller has left the application: Asterisk has them at the number's fallback."""
    caller.tell(end(3))
    over = asyncio.create_task(caller.line.over())
    await asyncio.sleep(1000)
    assert not over.done()
    caller.line.on_cel_end(at(1000))
    assert await over == Ended(at(3), 16)


@pytest.mark.parametrize("comes", [True, False])
async def test_a_call_whose_channel_is_gone_is_given_up_a_little_later(caller: Caller, comes: bool) -> None:
    caller.asterisk.exists = False
    if comes:
        asyncio.get_running_loop().call_later(REPORTED_SECONDS + 1, caller.line.on_cel_end, at(3))
    ended = await caller.line.over()
    assert loop_time() == pytest.approx(REPORTED_SECONDS + (1 if comes else GIVEN_UP_SECONDS), abs=0.1)
    assert ended == (Ended(at(3), 16) if comes else Ended(LAST_KNOWN, 127, lost=True))


@pytest.mark.parametrize(("result", "cause"), [(Result.BUSY, 17), (Result.UNREACHABLE, 34)])
async def test_our_own_hang_up_has_the_cause_that_says_why(
    caller: Caller, result: Result, cause: int
) -> None:
    caller.asterisk.does["hangup"] = lambda: caller.tell(end(3))
    assert await caller.line.hang_up(result) == Ended(at(3), cause)
    assert caller.asterisk.cause == cause


async def test_a_number_that_is_not_ours_is_turned_away_with_404(caller: Caller) -> None:
    caller.asterisk.does["hangup"] = lambda: caller.tell(end(3))
    assert await caller.line.turn_away() == Ended(at(3), 1)
    assert caller.asterisk.cause == 1
