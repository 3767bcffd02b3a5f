"""A caller's channel that is handed over to the dialplan: what Asterisk's events and replies mean then."""

import asyncio
from dataclasses import replace

import pytest

from engine.ari.errors import AriError, Conflict, Gone, Unavailable
from engine.ari.events import Dial, Kind
from engine.line import Ended, Returned
from tests.unit.handed_over import (
    CALL,
    CALLER,
    OFFICE,
    ONE,
    RECORDED,
    TO_ONE,
    TO_TWO,
    TRIED,
    TWO,
    Caller,
    at,
    back,
    channel,
    end,
    hung_up,
)

pytestmark = pytest.mark.looptime


@pytest.fixture
async def caller() -> Caller:
    return Caller()


# Handing over.


async def test_a_recorded_ring_is_two_commands(caller: Caller) -> None:
    going_on = await caller.handed_over(RECORDED)
    assert caller.asterisk.commands == ["set_channel_vars", "continue_in_dialplan"]
    assert caller.asterisk.values["CONNECT_TO"] == f"PJSIP/{OFFICE}@trunk"
    assert caller.asterisk.continued_in == {"context": "connect", "extension": "s", "priority": 1}
    going_on.cancel()


async def test_an_ordinary_ring_is_one_command_and_the_end_of_stasis_is_no_hang_up(caller: Caller) -> None:
    going_on = await caller.handed_over()
    assert caller.asterisk.commands == ["continue_in_dialplan"]
    assert caller.asterisk.continued_in["context"] == "ring"
    assert caller.asterisk.continued_in["extension"].endswith(f"-PJSIP/{OFFICE}@trunk")
    assert caller.line.hand_over.is_active
    await asyncio.sleep(10)
    assert not going_on.done()
    assert not caller.line.ended.done()
    caller.tell(back())
    assert await going_on == Returned(1, (TRIED,), at(9))
    assert not caller.line.hand_over.is_active


async def test_back_without_a_leg_nobody_could_be_dialled(caller: Caller) -> None:
    going_on = await caller.handed_over()
    caller.tell(back(legs=""))
    assert await going_on == Returned(1, (), at(9))


async def test_a_caller_who_is_back_hangs_up_like_any_other(caller: Caller) -> None:
    going_on = await caller.handed_over()
    caller.tell(back())
    await going_on
    caller.tell(end(12))
    assert (await hung_up(caller.line.connect(TO_ONE))).at == at(12)


async def test_a_caller_who_is_back_and_hangs_up_at_once_has_hung_up(caller: Caller) -> None:
    """Both events are read before the call goes on, as after an outage."""
    going_on = await caller.handed_over()
    caller.tell(back())
    caller.tell(end(9.1))
    await going_on
    assert (await hung_up(caller.line.connect(TO_ONE))).at == at(9.1)


async def test_the_next_ring_is_handed_over_like_the_first(caller: Caller) -> None:
    going_on = await caller.handed_over()
    caller.tell(back())
    await going_on
    caller.asterisk.commands.clear()
    going_on = await caller.handed_over(replace(TO_ONE, number=2))
    caller.tell(back())  # of the first ring
    assert not going_on.done()
    caller.tell(back(legs="", ring="2"))
    assert (await going_on).number == 2


async def test_a_caller_who_comes_back_though_nobody_handed_over_is_not_taken_for_one(caller: Caller) -> None:
    caller.tell(back())
    going_on = await caller.handed_over()
    assert not going_on.done()
    caller.tell(back(legs=""))
    assert (await going_on).attempts == ()


async def test_a_word_from_the_way_back_that_makes_no_sense_is_no_return(caller: Caller) -> None:
    going_on = await caller.handed_over()
    with pytest.raises(ValueError, match=r".+"):  # the dispatcher logs it
        caller.tell(back(legs="&nonsense"))
    assert not going_on.done()
    going_on.cancel()


@pytest.mark.parametrize("command", ["set_channel_vars", "continue_in_dialplan"])
@pytest.mark.parametrize("trouble", [Gone(404, "gone"), Conflict(409, "not in Stasis")])
@pytest.mark.parametrize("told", ["before the reply", "after it"])
async def test_a_caller_who_hangs_up_in_the_middle_of_it_has_hung_up(
    caller: Caller, command: str, trouble: AriError, told: str
) -> None:
    def goes() -> AriError:
        if told == "before the reply":
            caller.tell(end(3))
        else:
            asyncio.get_running_loop().call_later(0.5, caller.tell, end(3))
        return trouble

    caller.asterisk.does[command] = goes
    assert await hung_up(caller.line.connect(RECORDED)) == Ended(at(3), 16)
    assert caller.asterisk.commands[-1] == command


async def test_a_caller_who_has_hung_up_is_not_handed_over(caller: Caller) -> None:
    caller.tell(end(3))
    assert await hung_up(caller.line.connect(TO_ONE)) == Ended(at(3), 16)
    assert caller.asterisk.commands == []


async def test_where_the_hand_over_fails_the_caller_is_still_ours(caller: Caller) -> None:
    caller.asterisk.does["continue_in_dialplan"] = lambda: Unavailable(0, "no reply")
    with pytest.raises(Unavailable):
        await caller.line.connect(TO_ONE)
    assert not caller.line.hand_over.is_active
    caller.tell(end(3))
    assert await caller.line.ended == Ended(at(3), 16)


# When each of several legs rang.


async def test_of_several_legs_their_dial_events_say_when_each_rang(caller: Caller) -> None:
    going_on = await caller.handed_over(TO_TWO)
    await asyncio.sleep(0)
    assert caller.asterisk.subscribed == [f"channel:{CALLER}"]
    with caller.dispatcher.listen((Kind.CHANNEL, CALLER), caller.tell):
        for seconds, leg, status in [
            (1, ONE, ""),
            (1, TWO, ""),
            (2, TWO, "PROGRESS"),
            (3, ONE, "RINGING"),
            (4, TWO, "RINGING"),
            (5, ONE, "ANSWER"),
        ]:
            caller.dispatcher.dispatch(Dial(at(seconds), channel(leg), status, CALLER))
    assert caller.line.hand_over.rang == {f"{CALL}-b2": at(2), f"{CALL}-b1": at(3)}
    going_on.cancel()


async def test_one_leg_needs_no_subscription(caller: Caller) -> None:
    going_on = await caller.handed_over(TO_ONE)
    await asyncio.sleep(1)
    assert caller.asterisk.subscribed == []
    going_on.cancel()


async def test_a_subscription_that_fails_costs_only_the_instants(caller: Caller) -> None:
    caller.asterisk.does["subscribe"] = lambda: Unavailable(500, "no")
    going_on = await caller.handed_over(TO_TWO)
    await asyncio.sleep(1)
    assert not going_on.done()
    going_on.cancel()
