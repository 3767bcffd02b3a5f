"""A caller's CANCEL that crosses the destination's answer: CEL has an ANSWER of a caller who got 487."""

from datetime import timedelta

import pytest

from dialplan.result import Result
from engine.ending import ending_of
from engine.line import Ended
from journal.cel import CelEvent
from journal.cel_calls import cel_calls
from storage.records import call_record
from tests.unit.cel_events import (
    CALLER,
    LEG,
    ONE,
    TALKING,
    C,
    D,
    after,
    at,
    back,
    event,
    hangup,
    outcome,
    read,
    recorded,
)


def report(seconds: float = 5.04, *, media: str = "0", source: str = C, status: str = "ANSWER") -> CelEvent:
    return back(seconds, kind="CALL", status=status, media=media, source=source)


ENDS = [hangup(CALLER, 5.041, 16, C), hangup(ONE, 5.042, 16, C)]


def test_the_caller_was_not_answered_and_the_leg_was() -> None:
    state = after(*TALKING, report(), *ENDS)
    state.apply(ending_of(state, None, Ended(at(5.041), 16)))
    record = call_record(state)
    assert (record.outcome, record.ended_by, record.cause) == (Result.ABANDONED, "caller", 16)
    assert (record.answered, record.connected, record.delivered_to) == (None, None, "")
    assert (record.talk, record.ended) == (timedelta(0), at(5.041))
    assert outcome(state.legs[LEG]) == ("no_answer", 16, 0)
    assert (state.legs[LEG].answered, state.legs[LEG].connected) == (at(5), None)


def test_a_leg_whose_line_comes_first_too() -> None:
    state = after(*TALKING, ENDS[1], report(), ENDS[0])
    assert (state.answered, state.connected, state.legs[LEG].connected) == (None, None, None)
    assert outcome(state.legs[LEG]) == ("no_answer", 16, 0)


def test_lines_that_are_read_again_change_nothing() -> None:
    state = after(*TALKING, report(), *ENDS)
    read(state, [*TALKING[1:], report(), *ENDS])
    assert (state.answered, state.connected, state.legs[LEG].connected) == (None, None, None)


@pytest.mark.parametrize(
    "told",
    [
        report(media="135"),  # the 200 was sent, or early media before
        report(media=""),  # an event of an Asterisk with older configuration
        report(source=D),  # the destination hung up first
        report(source=""),
        report(7),  # they have talked
        report(status="CANCEL"),
    ],
)
def test_a_caller_who_was_answered_stays_answered(told: CelEvent) -> None:
    state = after(*TALKING, told, *ENDS)
    assert state.answered == at(5.01)
    assert state.connected is not None
    assert outcome(state.legs[LEG]) == ("taken", 16, 0)


def test_a_recorded_conversation_stays_answered() -> None:
    state = after(*TALKING, recorded("REC_START", 5.03), report(), *ENDS)
    assert state.answered == at(5.01)


@pytest.mark.parametrize(("media", "talk"), [("0", 0.0), ("135", 0.031)])
def test_reconciliation_sees_the_same_in_cel(media: str, talk: float) -> None:
    events = [event("CHAN_START", CALLER), *TALKING, report(media=media), *ENDS]
    (call,) = cel_calls(events)
    assert call.talk.total_seconds() == pytest.approx(talk)
