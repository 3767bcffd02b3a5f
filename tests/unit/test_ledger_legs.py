"""CEL as entries of a call's journal: when a leg rang, and its outcome."""

from dataclasses import replace
from datetime import datetime

import pytest

from dialplan.result import Result
from engine.ending import Farewell, ending_of, loose_ends
from engine.line import Ended
from journal.cel import CelEvent
from journal.entries import CallerLeft, LegRang, LegStarted
from storage.records import call_record
from tests.unit.cel_events import (
    CALL,
    CALLER,
    HOME,
    LEG,
    LEG_ONE,
    LEG_TWO,
    OFFICE,
    ONE,
    OTHER,
    TALKING,
    TWO,
    C,
    after,
    at,
    back,
    event,
    hangup,
    outcome,
    read,
    started,
)

# When a leg rang.


@pytest.mark.parametrize(
    ("told", "rang"),
    [
        ({"rang": "250"}, at(0.35)),
        ({"rang": "", "progress": "300"}, at(0.4)),
        ({"rang": "250", "progress": "100"}, at(0.35)),
        ({}, None),
    ],
)
@pytest.mark.parametrize("kind", ["BACK", "CALL", "NOBODY"])
def test_of_one_leg_the_time_to_ringing_says_when_it_rang(
    kind: str, told: dict[str, str], rang: datetime | None
) -> None:
    state = after(LEG_ONE, back(25, f"{ONE}:Ringing:0:180:{OFFICE}", kind=kind, **told))
    assert state.legs[LEG].ringing == rang


def test_of_a_leg_that_is_connected_too() -> None:
    state = after(*TALKING, back(9, kind="CALL", rang="250", status="ANSWER"))
    assert state.legs[LEG].ringing == at(0.35)


def test_of_a_leg_that_answered_and_was_not_connected_because_the_caller_had_given_up() -> None:
    """While the destination heard that the call is recorded: Dial sees it when that is over."""
    answered = [LEG_ONE, event("ANSWER", ONE, 5), hangup(ONE, 7, 16)]
    state = after(*answered, back(7, kind="CALL", rang="250", status="ANSWER"))
    assert state.legs[LEG].ringing == at(0.35)


def test_of_several_legs_the_time_to_ringing_says_nothing_and_their_dial_events_do() -> None:
    both = [f"{ONE}:Ringing:0:180:{OFFICE}", f"{TWO}:Ringing:0:180:{HOME}"]
    events = [LEG_ONE, LEG_TWO, hangup(ONE, 25, 0), hangup(TWO, 25, 0), back(25, *both, rang="250")]
    state = after(*events)
    assert [leg.ringing for leg in state.legs.values()] == [None, None]
    state = after(*events, rang={LEG: at(0.5), OTHER: at(0.7)})
    assert [leg.ringing for leg in state.legs.values()] == [at(0.5), at(0.7)]


def test_a_leg_whose_dial_event_came_first_rang_as_soon_as_it_is_known() -> None:
    assert read(started(), [LEG_ONE], {LEG: at(0.2)}) == [
        LegStarted(CALL, at(0.1), LEG, OFFICE, "trunk"),
        LegRang(CALL, at(0.2), LEG),
    ]


def test_the_ring_of_an_earlier_hand_over_is_not_this_ones() -> None:
    first = [LEG_ONE, hangup(ONE, 1, 17), back(1.1, f"{ONE}:Down:17:486:{OFFICE}")]
    state = after(*first, replace(LEG_TWO, at=at(2)), back(9, f"{TWO}:Ringing:0:180:{HOME}", rang="250"))
    assert (state.legs[LEG].ringing, state.legs[OTHER].ringing) == (None, at(2.25))


# What came of a leg.


@pytest.mark.parametrize(
    ("cause", "told", "expected"),
    [
        (17, "Down:17:486", ("busy", 17, 486)),
        (17, "Ringing:17:486", ("busy", 17, 486)),
        (21, "Down:21:603", ("rejected", 21, 603)),
        (1, "Down:1:404", ("unreachable", 1, 404)),
        (58, "Down:58:488", ("failed", 58, 488)),
        (0, "Ringing:0:180", ("no_answer", 19, 180)),  # the ring's time was over
        (0, "Ring:0:183", ("no_answer", 19, 183)),
        (0, "Ring:0:0", ("unreachable", 19, 0)),  # it never rang
        (0, "Ring::", ("unreachable", 19, 0)),
        (19, "Down:19:480", ("no_answer", 19, 480)),  # the far end says so, though it never rang
        (26, "Ringing:26:180", ("no_answer", 26, 180)),
    ],
)
def test_what_came_of_a_leg_that_did_not_take_the_call(
    cause: int, told: str, expected: tuple[str, int, int]
) -> None:
    state = after(LEG_ONE, hangup(ONE, 25, cause), back(25.1, f"{ONE}:{told}:{OFFICE}"))
    assert outcome(state.legs[LEG]) == expected
    assert state.legs[LEG].ended == at(25)


def test_the_instant_is_that_of_the_leg_also_if_its_line_comes_last() -> None:
    state = after(LEG_ONE, back(25.1, f"{ONE}:Down:17:486:{OFFICE}"), hangup(ONE, 25, 17))
    assert outcome(state.legs[LEG]) == ("busy", 17, 486)
    assert state.legs[LEG].ended == at(25)


@pytest.mark.parametrize(
    ("report", "left", "farewell"),
    [
        (back(25, f"{ONE}:Down:17:486:{OFFICE}"), hangup(CALLER, 25.002, 17), Farewell(Result.BUSY, 17)),
        (
            back(25, f"{ONE}:Ringing:127:180:{OFFICE}", kind="CALL", status="CANCEL"),
            hangup(CALLER, 25.002, 0, C, "CANCEL"),
            None,
        ),
    ],
)
def test_a_leg_that_did_not_take_the_call_ended_before_the_call_however_late_its_line_is(
    report: CelEvent, left: CelEvent, farewell: Farewell | None
) -> None:
    """A SIP thread had to wait for the processor, and ended the leg's channel after the caller's."""
    state, ended = after(LEG_ONE, report, left, hangup(ONE, 25.003, 17)), Ended(at(25.001), 17)
    assert list(loose_ends(state, ended)) == []
    state.apply(ending_of(state, farewell, ended))
    record = call_record(state)
    (leg,) = record.legs
    assert (leg.ended, record.ended) == (at(25), at(25.002))


def test_a_busy_leg_in_a_ring_of_two_does_not_end_the_other() -> None:
    state = after(LEG_ONE, LEG_TWO, hangup(TWO, 1, 17), *TALKING[1:])
    assert state.legs[OTHER].outcome == "busy"
    assert state.talking == state.legs[LEG]
    told = back(9, f"{TWO}:Down:17:486:{HOME}", kind="CALL", status="ANSWER", rang="250")
    read(state, [told, hangup(ONE, 9.01, 16, C), hangup(CALLER, 9.02, 16, C)])
    assert outcome(state.legs[OTHER]) == ("busy", 17, 486)
    assert outcome(state.legs[LEG]) == ("taken", 16, 0)


def test_the_slower_of_two_that_answer_at_once_has_not_taken_the_call() -> None:
    state = after(LEG_ONE, LEG_TWO, *TALKING[1:2], event("ANSWER", TWO, 5.001), *TALKING[2:])
    read(state, [hangup(TWO, 5.1, 26)])
    assert state.legs[OTHER].answered == at(5.001)
    assert outcome(state.legs[OTHER]) == ("no_answer", 26, 0)
    assert state.connected is not None
    assert state.connected.leg == LEG


@pytest.mark.parametrize("cause", [0, 127])
def test_a_caller_who_gives_up_has_ended_the_legs(cause: int) -> None:
    told = back(4, f"{ONE}:Ringing:{cause}:180:{OFFICE}", kind="CALL", status="CANCEL", rang="250")
    state = after(LEG_ONE, told, hangup(ONE, 4, cause), hangup(CALLER, 4, 0, C, "CANCEL"))
    assert outcome(state.legs[LEG]) == ("no_answer", 16, 180)
    assert state.left == CallerLeft(CALL, at(4), "caller", 16)


@pytest.mark.parametrize("line_first", [False, True])
def test_a_leg_that_answered_as_the_caller_gave_up_was_answered_though_cel_has_no_answer(
    line_first: bool,
) -> None:
    """Dial ended the leg before it saw the answer: its state is Ringing, its last response is 200."""
    told = back(4, f"{ONE}:Ringing:127:200:{OFFICE}", kind="CALL", status="CANCEL", rang="250")
    events = [told, hangup(ONE, 3.999 if line_first else 4.001, 127)]
    state = after(
        LEG_ONE, *(reversed(events) if line_first else events), hangup(CALLER, 4.002, 0, C, "CANCEL")
    )
    leg = state.legs[LEG]
    assert leg.answered == leg.ended == at(3.999 if line_first else 4)
    assert outcome(leg) == ("no_answer", 16, 200)
