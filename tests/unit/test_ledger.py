"""CEL as entries of a call's journal: each kind of event, who ended the call, and lines that are read again.

The events are those of Asterisk 22.10.1; what tells who ended a call is measured (docs/decisions).
"""

from dataclasses import replace

import pytest

from dialplan.result import Outcome
from journal.cel import CelEvent
from journal.entries import (
    BY_ENGINE,
    Answered,
    CallerLeft,
    Entry,
    FellBack,
    HandedOver,
    LegAnswered,
    LegConnected,
    LegEnded,
    LegStarted,
    RecordingEnded,
    RecordingPaused,
    RecordingResumed,
    RecordingStarted,
    RecordingStopped,
)
from tests.unit.cel_events import (
    CALL,
    CALLER,
    LEG,
    LEG_ONE,
    LEG_TWO,
    OFFICE,
    ONE,
    TALKING,
    TERMS,
    TOLD_BY_DIALPLAN,
    TWO,
    C,
    D,
    after,
    at,
    back,
    event,
    hangup,
    notified,
    outcome,
    read,
    recorded,
    started,
    told_of_it,
)

IN_STASIS = replace(event("ANSWER", CALLER, 2), context="inbound")

# One event.


@pytest.mark.parametrize(
    ("before", "one", "entries"),
    [
        ([], LEG_ONE, [LegStarted(CALL, at(0.1), LEG, OFFICE, "trunk")]),
        ([LEG_ONE], event("ANSWER", ONE, 5), [LegAnswered(CALL, at(5), LEG)]),
        ([LEG_ONE], event("ANSWER", CALLER, 5), [Answered(CALL, at(5))]),
        ([LEG_ONE], event("BRIDGE_ENTER", ONE, 5), [LegConnected(CALL, at(5), LEG)]),
        ([LEG_ONE], event("BRIDGE_ENTER", CALLER, 5), []),
        (TALKING, event("ANSWER", CALLER, 9), []),  # answered once
        ([], IN_STASIS, [Answered(CALL, at(2), BY_ENGINE)]),  # that engine may have died before it noted it
        (TALKING, hangup(ONE, 9, 16), [LegEnded(CALL, at(9), LEG, Outcome.TAKEN, 16)]),
        ([LEG_ONE], hangup(ONE, 1, 17), [LegEnded(CALL, at(1), LEG, Outcome.BUSY, 17)]),
        ([], hangup(ONE, 1, 17), []),  # not an attempt of ours
        (TALKING, hangup(CALLER, 9, 16, C), [CallerLeft(CALL, at(9), "caller", 16)]),
        (
            [],
            event("FALLBACK", CALLER, 3, dialled="+3270012345", to=OFFICE),
            [FellBack(CALL, at(3), (OFFICE,))],
        ),
        ([], back(3), []),
        ([], back(3, "dev-1.9:Down:1:404:+32470"), []),  # an unknown leg
        *[
            ([LEG_ONE], event(kind, channel, 1), [])
            for kind in ("RING", "CHAN_END", "BRIDGE_EXIT", "APP_START", "LINKEDID_END", "UNHEARD_OF")
            for channel in (CALLER, ONE)
        ],
    ],
)
def test_what_an_event_amounts_to(before: list[CelEvent], one: CelEvent, entries: list[Entry]) -> None:
    assert read(after(*before), [one]) == entries


@pytest.mark.parametrize(
    "wrong",
    [
        event("HANGUP", CALLER, hangupcause="soon"),
        event("HANGUP", ONE, hangupcause=None),
        back(1, "dev-1.1:Ringing:x:180:+32470"),
        back(1, "dev-1.1:Ringing"),
        back(1, f"{ONE}:Ringing:0:180:{OFFICE}", rang="soon"),
        back(1, f"{ONE}:Ringing:0:180:{OFFICE}", rang="9" * 30),
    ],
)
def test_a_line_that_makes_no_sense_is_an_error_of_that_line(wrong: CelEvent) -> None:
    state = after(LEG_ONE)
    with pytest.raises((ValueError, KeyError)):
        read(state, [wrong])


@pytest.mark.parametrize(
    ("result", "entry"),
    [
        ("SUCCESS", notified("heard")),
        ("FAILED", notified("failed", "the announcement was not heard to its end")),
        ("LEFT", notified("left", "the destination hung up during the announcement")),
    ],
)
def test_whether_the_destination_heard_that_the_call_is_recorded(result: str, entry: Entry) -> None:
    assert read(after(*TALKING[:2]), [told_of_it(result)]) == [entry]


def test_a_recording_begins_is_paused_and_ends_with_its_leg() -> None:
    events = [
        *TALKING[:2],
        told_of_it("SUCCESS"),
        recorded("REC_START", 8.1),
        *TALKING[2:],
        recorded("REC_PAUSE", 9),
        recorded("REC_RESUME", 10, how="auto"),
        hangup(ONE, 20, 16, C),
    ]
    state = started()
    assert [entry for entry in read(state, events) if "Recording" in type(entry).__name__] == [
        RecordingStarted(CALL, at(8.1), TERMS.audio, TERMS.keep_seconds, TERMS.format, LEG),
        RecordingPaused(CALL, at(9)),
        RecordingResumed(CALL, at(10), "auto"),
        RecordingEnded(CALL, at(20), TERMS.audio),
    ]
    again = after(*events, *events)
    assert (again, again.consent.parties[LEG]) == (state, notified("heard"))


def test_a_recording_that_the_caller_stopped_has_ended() -> None:
    state = after(*TALKING[:2], recorded("REC_START", 8.1))
    assert state.consent.parties[LEG].result == "known"
    assert read(state, [recorded("REC_STOP", 9, how="key")]) == [RecordingStopped(CALL, at(9), "key")]
    assert not state.may_record(LEG)


# Who ended the call: docs/decisions, measured.

# (the caller's cause and source, the destination's cause and source) -> (by, cause)
ENDINGS = {
    "no RTP from the caller": ((44, ""), (16, ""), ("network", 44)),
    "no RTP from the destination": ((16, TOLD_BY_DIALPLAN), (44, ""), ("network", 44)),
    "no RTP from either, the caller's timer": ((44, ""), (16, ""), ("network", 44)),
    "no RTP from either, the destination's": ((16, TOLD_BY_DIALPLAN), (44, ""), ("network", 44)),
    "Dial S()": ((16, TOLD_BY_DIALPLAN), (16, ""), ("limit", 16)),
    "TIMEOUT(absolute) of the caller": ((16, TOLD_BY_DIALPLAN), (16, ""), ("limit", 16)),
    "BYE of the caller": ((16, C), (16, C), ("caller", 16)),
    "BYE of the destination": ((16, D), (16, D), ("destination", 16)),
    "BYE of the destination with a Reason": ((16, D), (38, D), ("destination", 38)),
    "ARI DELETE of the caller": ((16, ""), (16, ""), ("network", 16)),
    "ARI DELETE of the destination": ((16, TOLD_BY_DIALPLAN), (16, ""), ("limit", 16)),
    "the console, or SIGTERM of Asterisk": ((16, ""), (16, ""), ("network", 16)),
    "a session timer": ((16, C), (16, C), ("caller", 16)),
    "an ACK that never came": ((16, C), (16, C), ("caller", 16)),
}


@pytest.mark.parametrize("caller_first", [True, False])
@pytest.mark.parametrize("row", ENDINGS)
def test_who_ended_the_conversation(row: str, caller_first: bool) -> None:
    callers, destinations, told = ENDINGS[row]
    lines = [hangup(CALLER, 9, *callers), hangup(ONE, 9.001, *destinations)]
    state = after(*TALKING, *(lines if caller_first else reversed(lines)))
    assert state.left == CallerLeft(CALL, at(9), *told)  # type: ignore[arg-type]
    assert outcome(state.legs[LEG]) == ("taken", destinations[0], 0)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (hangup(CALLER, 4, 0, C, "CANCEL"), ("caller", 16)),
        (hangup(CALLER, 4, 127, C, ""), ("caller", 16)),
        (hangup(CALLER, 4, 19, "", ""), ("engine", 19)),
        (hangup(CALLER, 4, 44, "", ""), ("network", 44)),  # no RTP while the voicemail records
        (hangup(CALLER, 4, 34, TOLD_BY_DIALPLAN, "CHANUNAVAIL"), ("engine", 34)),
    ],
)
def test_who_ended_a_call_in_which_nobody_was_connected(line: CelEvent, told: tuple[str, int]) -> None:
    state = after(LEG_ONE, hangup(ONE, 3.9, 19), line)
    assert state.left == CallerLeft(CALL, at(4), *told)  # type: ignore[arg-type]


def test_a_leg_that_lost_with_cause_44_says_nothing_of_the_conversation() -> None:
    state = after(LEG_TWO, hangup(TWO, 1, 44), *TALKING, hangup(CALLER, 9, 16, C), hangup(ONE, 9, 16, C))
    assert state.left == CallerLeft(CALL, at(9), "caller", 16)


# At the fallback.


def test_a_call_at_its_fallback_is_told_like_any_other() -> None:
    state = after(event("FALLBACK", CALLER, 0, dialled="+3270012345", to=OFFICE), *TALKING)
    read(state, [back(9, kind="CALL", ring="0", status="ANSWER", rang="250")])
    read(state, [hangup(ONE, 9, 16, C), hangup(CALLER, 9, 16, C)])
    assert (state.fell_back, state.answered, state.legs[LEG].ringing) == (at(0), at(5.01), at(0.35))
    assert state.left == CallerLeft(CALL, at(9), "caller", 16)


def test_a_hand_over_that_came_too_late_hides_no_ringing_of_the_fallback() -> None:
    """A new engine noted it when the lease had just taken the call to the fallback."""
    state = after(event("FALLBACK", CALLER, 0, dialled="+3270012345", to=OFFICE), LEG_ONE)
    state.apply(HandedOver(CALL, at(0.2), (OFFICE,), 25))
    read(state, [*TALKING[1:], back(9, kind="CALL", ring="0", status="ANSWER", rang="250")])
    assert state.legs[LEG].ringing == at(0.35)


def test_a_fallback_that_nobody_took_is_told_by_its_legs() -> None:
    told = back(1.1, f"{ONE}:Down:17:486:{OFFICE}", kind="NOBODY", status="BUSY")
    state = after(event("FALLBACK", CALLER, 0, to=OFFICE), LEG_ONE, hangup(ONE, 1, 17), told)
    read(state, [hangup(CALLER, 1.2, 17, TOLD_BY_DIALPLAN, "BUSY")])
    assert outcome(state.legs[LEG]) == ("busy", 17, 486)
    assert state.left == CallerLeft(CALL, at(1.2), "engine", 17)
