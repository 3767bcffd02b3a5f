"""The fold: what a call is after each of its entries."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialplan.result import Outcome, Result
from journal.entries import (
    Answered,
    CallEnded,
    CallerLeft,
    CallerNotified,
    CallStarted,
    Entry,
    HandedOver,
    Heartbeat,
    LegAnswered,
    LegConnected,
    LegEnded,
    LegRang,
    LegStarted,
    MessageEnded,
    MessageStarted,
    PartyNotified,
    RecordingEnded,
    RecordingPaused,
    RecordingResumed,
    RecordingStarted,
    RecordingStopped,
    StepPerformed,
    Turned,
)
from journal.state import CallState, NoBeginning, fold
from journal.values import Change, Connected, Leg

BEGAN = datetime(2026, 11, 24, 10, tzinfo=UTC)
BUSY, SLOW, OTHER = "c-b1", "c-b2", "c-b3"


def at(seconds: float) -> datetime:
    return BEGAN + timedelta(seconds=seconds)


START = CallStarted("c", at(0), "+3270012345", "acme", False, "here", "here-1", "+32470111222", routing="d1")

# Announced, one busy destination, one that talks and is recorded with a pause; the caller hangs up.
LEGS: list[list[Entry]] = [
    [LegStarted("c", at(6), BUSY, "+3221112233"), LegEnded("c", at(7), BUSY, Outcome.BUSY, 17, 486)],
    [
        LegStarted("c", at(6), SLOW, "+3221112244"),
        LegRang("c", at(6.5), SLOW),
        LegAnswered("c", at(9), SLOW),
        PartyNotified("c", at(14), SLOW, "heard"),
        LegConnected("c", at(14.01), SLOW),
        LegEnded("c", at(60), SLOW, Outcome.TAKEN, 16, 200),
    ],
]
BEFORE: list[Entry] = [
    START,
    Turned("c", "hours", "open", at(0)),
    StepPerformed("c", "announce", Outcome.DONE, (0,), at(4)),
    CallerNotified("c", at(5), "heard", "announce"),
    HandedOver("c", at(6), ("+3221112233", "+3221112244"), 20),
]
AFTER: list[Entry] = [
    Answered("c", at(14.011)),
    RecordingStarted("c", at(14.02), "c-rec1", 86400, "wav", SLOW),
    RecordingPaused("c", at(20)),
    RecordingResumed("c", at(25), "key"),
    RecordingEnded("c", at(60), "c-rec1"),
    CallerLeft("c", at(60), "caller", 16),
    StepPerformed("c", "ring", Outcome.TAKEN, (1,), at(60.1)),
    CallEnded("c", at(60), Result.ANSWERED, "caller", 16),
]
WHOLE = [*BEFORE, *LEGS[0], *LEGS[1], *AFTER]


def test_an_answered_call_is_what_its_entries_say() -> None:
    state = fold(WHOLE)
    assert (state.call_id, state.number, state.owner, state.routing) == ("c", "+3270012345", "acme", "d1")
    assert (state.answered, state.connected) == (at(14.011), Connected(at(14.01), SLOW))
    assert list(state.legs.values()) == [
        Leg(BUSY, "+3221112233", at(6), None, None, None, at(7), Outcome.BUSY, 17, 486),
        Leg(SLOW, "+3221112244", at(6), at(6.5), at(9), at(14.01), at(60), Outcome.TAKEN, 16, 200),
    ]
    assert state.outcomes == [Outcome.DONE, Outcome.TAKEN]
    assert state.left == AFTER[-3]
    assert state.ending == AFTER[-1]
    assert (state.talking, state.open_legs, state.handed_over, state.is_recorded) == (None, [], None, False)


@settings(deadline=None)
@given(twice=st.sets(st.integers(0, len(WHOLE) - 1)), run=st.integers(1, 6))
def test_entries_that_come_twice_change_nothing(twice: set[int], run: int) -> None:
    """One right after the other, or a few of them again, as by a reader that lost its last position."""
    told: list[Entry] = []
    for n, entry in enumerate(WHOLE):
        told.append(entry)
        if n in twice:
            told += WHOLE[max(n + 1 - run, 0) : n + 1]
    assert fold(told) == fold(WHOLE)


@settings(deadline=None)
@given(st.randoms())
def test_the_order_of_legs_and_steps_does_not_matter(dice: random.Random) -> None:
    """CEL may be read after ARI has told that the step is over."""
    streams = [list(LEGS[0]), list(LEGS[1]), list(AFTER)]
    told = list(BEFORE)
    while any(streams):
        told.append(dice.choice([stream for stream in streams if stream]).pop(0))
    found, expected = fold(told), fold(WHOLE)
    assert {**found.legs} == expected.legs  # the legs' own order is that of their beginnings
    found.legs = expected.legs
    assert found == expected


@pytest.mark.parametrize(
    "entry",
    [
        LegRang("c", at(1), OTHER),
        LegConnected("c", at(1), OTHER),
        LegEnded("c", at(1), OTHER, Outcome.BUSY, 17),
        MessageEnded("c", at(1), "c-vm1", "hangup"),
        RecordingPaused("c", at(1)),
        RecordingEnded("c", at(1), "c-rec1"),
        Heartbeat(at(1)),
    ],
)
def test_what_is_about_nothing_known_changes_nothing(entry: Entry) -> None:
    assert fold([START, entry]) == fold([START])


def test_entries_without_a_beginning_are_no_call() -> None:
    with pytest.raises(NoBeginning):
        fold(WHOLE[1:])


def test_a_call_is_handed_over_until_the_step_is_performed() -> None:
    state = fold(BEFORE)
    assert state.handed_over == BEFORE[-1]
    state.apply(StepPerformed("c", "ring", Outcome.NO_ANSWER, (1,), at(26)))
    assert state.handed_over is None
    state.apply(BEFORE[-1])
    assert state.handed_over is None
    state.apply(HandedOver("c", at(27), ("+3221112255",), 20))
    assert state.handed_over is not None


def test_equal_steps_of_an_older_journal_are_two_steps() -> None:
    """They have neither place nor instant: two announcements in a row are told alike."""
    step = StepPerformed("c", "announce", Outcome.DONE)
    assert fold([START, step, step]).outcomes == [Outcome.DONE, Outcome.DONE]


def test_a_destination_that_answered_and_was_not_connected_does_not_talk() -> None:
    state = fold([*BEFORE, *LEGS[1][:3]])
    assert (state.talking, state.connected) == (None, None)
    state.apply(LEGS[1][4])
    assert state.talking is not None
    assert state.talking.leg_id == SLOW


def test_the_first_connection_counts_in_whatever_order_they_are_told() -> None:
    legs = [LegStarted("c", at(1), SLOW, "+3221112244"), LegStarted("c", at(2), OTHER, "+3221112255")]
    later, first = LegConnected("c", at(20), OTHER), LegConnected("c", at(10), SLOW)
    assert fold([START, *legs, later, first]).connected == Connected(at(10), SLOW)


def consent_of(*entries: Entry) -> CallState:
    return fold([START, *entries])


HEARD = CallerNotified("c", at(1), "heard", "announce")


@pytest.mark.parametrize(
    ("entries", "may"),
    [
        ([], False),
        ([HEARD], False),
        ([HEARD, PartyNotified("c", at(9), SLOW, "heard")], True),
        ([HEARD, PartyNotified("c", at(9), SLOW, "known")], True),
        ([HEARD, PartyNotified("c", at(9), OTHER, "heard")], False),
        ([HEARD, PartyNotified("c", at(9), SLOW, "failed", "cut off")], False),
        ([HEARD, PartyNotified("c", at(9), SLOW, "left")], False),
        ([CallerNotified("c", at(1), "refused", "opt_out"), PartyNotified("c", at(9), SLOW, "heard")], False),
        ([CallerNotified("c", at(1), "failed", "announce"), PartyNotified("c", at(9), SLOW, "known")], False),
        ([PartyNotified("c", at(9), SLOW, "heard")], False),
    ],
)
def test_a_conversation_may_be_recorded_only_where_both_were_notified(
    entries: list[Entry], *, may: bool
) -> None:
    assert consent_of(*entries).may_record(SLOW) is may


@pytest.mark.parametrize("how", ["key", "failed"])
def test_nothing_is_recorded_again_after_a_recording_was_stopped(how: str) -> None:
    told = [*BEFORE, *LEGS[1][:5], *AFTER[:2]]
    assert fold(told).is_recorded
    stopped = fold([*told, RecordingStopped("c", at(30), "key" if how == "key" else "failed")])
    assert (stopped.is_recorded, stopped.may_record(SLOW)) == (False, False)


def test_a_recording_knows_its_pauses() -> None:
    state = fold([*BEFORE, *LEGS[1][:5], *AFTER[:3]])
    assert state.recording is not None
    assert (state.recording.paused, state.recording.leg, state.is_recorded) == (at(20), SLOW, True)
    for entry in AFTER[3:5]:
        state.apply(entry)
    assert state.recording.paused is None
    assert state.recording.changes == (
        Change("pause", at(20)),
        Change("resume", at(25), "key"),
        Change("end", at(60)),
    )


def test_a_message_begins_and_ends() -> None:
    state = fold([START, MessageStarted("c", at(5), "c-vm1", {"to": []})])
    assert state.message is not None
    assert (state.message.began, state.message.how) == (at(5), None)
    state.apply(MessageEnded("c", at(9), "c-vm1", "key"))
    assert (state.message.ended, state.message.how) == (at(9), "key")
