"""The live calls, by channel and by caller."""

import pytest

from dialplan.caller import UNKNOWN, WITHHELD, Caller, Presentation
from engine.ari.live import Lives
from tests.unit.test_door import CALLER, live

OTHER = Caller(Presentation.SHOWN, "+3225554321")


def number(caller: Caller) -> str:
    return caller.number or ""


def test_the_calls_of_one_caller_are_found_without_those_of_others() -> None:
    lives = Lives()
    calls = [live(channel="ch1"), live(channel="ch2"), live(caller=OTHER, channel="ch3")]
    for call in calls:
        lives.add(call)
    assert lives.of_caller(number(CALLER)) == tuple(calls[:2])
    lives.remove(calls[0])
    assert lives.of_caller(number(CALLER)) == (calls[1],)
    lives.remove(calls[1])
    assert (lives.of_caller(number(CALLER)), list(lives)) == ((), [calls[2]])


@pytest.mark.parametrize("who", [UNKNOWN, WITHHELD])
def test_callers_who_show_no_number_are_not_taken_for_one(who: Caller) -> None:
    lives = Lives()
    lives.add(live(caller=who))
    assert (lives.of_caller(number(who)), len(lives)) == ((), 1)


def test_a_caller_who_becomes_known_later_is_found() -> None:
    lives, call = Lives(), live(caller=UNKNOWN)
    lives.add(call)
    call.journal.state.caller = number(CALLER)
    lives.add(call)
    assert lives.of_caller(number(CALLER)) == (call,)


def test_a_call_with_the_channel_of_another_takes_its_place() -> None:
    lives, first, second = Lives(), live(), live(caller=OTHER)
    lives.add(first)
    lives.add(second)
    lives.remove(first)
    assert (list(lives), lives.of_caller(number(CALLER))) == ([second], ())
