"""CEL as entries of a call's journal: each kind of event, who ended the call, and lines that are read again.

The events are those of Asterisk 22.10.1; what tells who ended a call is measured (docs/decisions).
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialplan.result import Outcome
from engine.ari.cel import BUILT_IN, CelEvent
from engine.ari.ledger import entries_of
from journal.codec import encode
from journal.entries import (
    Answered,
    CallerLeft,
    CallStarted,
    Entry,
    FellBack,
    HandedOver,
    LegAnswered,
    LegConnected,
    LegEnded,
    LegRang,
    LegStarted,
    PartyNotified,
    RecorderTerms,
    RecordingEnded,
    RecordingPaused,
    RecordingResumed,
    RecordingStarted,
    RecordingStopped,
)
from journal.state import CallState
from journal.values import Leg

BEGAN = datetime(2026, 11, 24, 10, tzinfo=UTC)
CALL, CALLER, ONE, TWO = "0199-call", "dev-1795776979.0", "dev-1795776979.1", "dev-1795776980.2"
C, D, E = "PJSIP/trunk-00000000", "PJSIP/trunk-00000001", "PJSIP/trunk-00000002"
NAMES = {CALLER: C, ONE: D, TWO: E}
LEG, OTHER = f"{CALL}-b1", f"{CALL}-b2"
OFFICE, HOME = "+32470111221", "+32470111222"
TOLD_BY_DIALPLAN = "dialplan/builtin"
Rang = Mapping[str, datetime]


def at(seconds: float) -> datetime:
    return BEGAN + timedelta(seconds=seconds)


def event(kind: str, channel: str = CALLER, seconds: float = 0, **extra: Any) -> CelEvent:
    return CelEvent(kind, at(seconds), channel, CALLER, NAMES.get(channel, "X"), "connect", "s", extra)


def hangup(channel: str, seconds: float, cause: int, source: str = "", status: str = "ANSWER") -> CelEvent:
    """A HANGUP line; `dialstatus` stands on the caller's alone."""
    extra = {"dialstatus": status} if channel == CALLER else {}
    return event("HANGUP", channel, seconds, hangupcause=cause, hangupsource=source, **extra)


TERMS = RecorderTerms("0199-call-rec1", 86400, "wav", "announce", "ours", "sha", "nl")


def started() -> CallState:
    """A call that was handed over at 0 s."""
    start = CallStarted(CALL, at(-5), "+3270012345", "acme", False, "here", CALLER)
    state = CallState.begun(start)
    state.apply(HandedOver(CALL, at(0), (OFFICE, HOME), 25, TERMS))
    return state


def read(state: CallState, events: Iterable[CelEvent], rang: Rang = {}) -> list[Entry]:  # noqa: B006
    """Read the events, as the switchboard does: each entry is applied before the next is made."""
    entries = []
    for one in events:
        for entry in entries_of(one, state, rang):
            state.apply(entry)
            entries.append(entry)
    return entries


def after(*events: CelEvent, rang: Rang = {}) -> CallState:  # noqa: B006
    state = started()
    read(state, events, rang)
    return state


LEG_ONE = event("CHAN_START", ONE, 0.1)
LEG_TWO = event("CHAN_START", TWO, 0.2)
TALKING = [
    LEG_ONE,
    event("ANSWER", ONE, 5),
    event("ANSWER", CALLER, 5.01),
    event("BRIDGE_ENTER", ONE, 5.02, bridge_id="b", bridge_technology="simple_bridge"),
    event("BRIDGE_ENTER", CALLER, 5.03, bridge_id="b", bridge_technology="simple_bridge"),
]


def legs_told(*legs: str) -> str:
    """Variable LEGS."""
    return "".join(f"&{leg}" for leg in legs)


def back(seconds: float, *legs: str, kind: str = "BACK", **extra: str) -> CelEvent:
    told = {"ring": "1", "status": "NOANSWER", "rang": "", "progress": "", "legs": legs_told(*legs)}
    return event(kind, CALLER, seconds, **told | extra)


def outcome(leg: Leg) -> tuple[str | None, int | None, int]:
    return leg.outcome, leg.cause, leg.sip


# One event.


@pytest.mark.parametrize(
    ("before", "one", "entries"),
    [
        ([], LEG_ONE, [LegStarted(CALL, at(0.1), LEG, OFFICE)]),
        ([LEG_ONE], event("ANSWER", ONE, 5), [LegAnswered(CALL, at(5), LEG)]),
        ([LEG_ONE], event("ANSWER", CALLER, 5), [Answered(CALL, at(5))]),
        ([LEG_ONE], event("BRIDGE_ENTER", ONE, 5), [LegConnected(CALL, at(5), LEG)]),
        ([LEG_ONE], event("BRIDGE_ENTER", CALLER, 5), []),
        (TALKING, event("ANSWER", CALLER, 9), []),  # answered once
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
        LegStarted(CALL, at(0.1), LEG, OFFICE),
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
def test_a_caller_who_gives_up_has_let_go_of_the_legs(cause: int) -> None:
    told = back(4, f"{ONE}:Ringing:{cause}:180:{OFFICE}", kind="CALL", status="CANCEL", rang="250")
    state = after(LEG_ONE, told, hangup(ONE, 4, cause), hangup(CALLER, 4, 0, C, "CANCEL"))
    assert outcome(state.legs[LEG]) == ("no_answer", 16, 180)
    assert state.left == CallerLeft(CALL, at(4), "caller", 16)


# The recorder.


def epoch(seconds: float, thousands: int = 1) -> str:
    return f"{at(seconds).timestamp() * thousands:.{0 if thousands > 1 else 6}f}"


def recorded(kind: str, seconds: float, **extra: str) -> CelEvent:
    return event(kind, ONE, seconds, at=epoch(seconds, 1000), **extra)


def told_of_it(result: str) -> CelEvent:
    return event("INFORMED", ONE, 8, result=result, began=epoch(5.1), ended=epoch(8))


def notified(result: Any, why: str = "") -> PartyNotified:
    return PartyNotified(CALL, at(8), LEG, result, why, "announce", "ours", "sha", "nl", at(5.1), at(8))


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


def test_a_fallback_that_nobody_took_is_told_by_its_legs() -> None:
    told = back(1.1, f"{ONE}:Down:17:486:{OFFICE}", kind="NOBODY", status="BUSY")
    state = after(event("FALLBACK", CALLER, 0, to=OFFICE), LEG_ONE, hangup(ONE, 1, 17), told)
    read(state, [hangup(CALLER, 1.2, 17, TOLD_BY_DIALPLAN, "BUSY")])
    assert outcome(state.legs[LEG]) == ("busy", 17, 486)
    assert state.left == CallerLeft(CALL, at(1.2), "engine", 17)


# Lines that are read again, and lines in no order.

BOTH = [f"{ONE}:Ringing:0:180:{OFFICE}", f"{TWO}:Down:17:486:{HOME}"]
STORIES: dict[str, Sequence[CelEvent]] = {
    **{
        row: [*TALKING, hangup(CALLER, 9, *callers), hangup(ONE, 9.001, *destinations)]
        for row, (callers, destinations, _) in ENDINGS.items()
    },
    **{
        f"{row}, the destination first": [
            *TALKING,
            back(8.9, kind="CALL", rang="250", status="ANSWER"),
            hangup(ONE, 9.001, *destinations),
            hangup(CALLER, 9, *callers),
        ]
        for row, (callers, destinations, _) in ENDINGS.items()
    },
    "nobody, and again": [
        LEG_ONE,
        LEG_TWO,
        hangup(TWO, 1, 17),
        hangup(ONE, 25, 0),
        back(25.1, *BOTH, rang="250"),
        event("CHAN_START", "dev-1795776999.3", 30),
        hangup("dev-1795776999.3", 55, 0),
        back(55.1, f"dev-1795776999.3:Ringing:0:180:{OFFICE}", ring="2", rang="100"),
        hangup(CALLER, 56, 19),
    ],
    "given up": [
        LEG_ONE,
        LEG_TWO,
        hangup(TWO, 1, 17),
        hangup(ONE, 4, 127),
        back(4, *BOTH, kind="CALL", status="CANCEL"),
        hangup(CALLER, 4, 0, C, "CANCEL"),
    ],
    "the fallback": [
        event("FALLBACK", CALLER, 0),
        LEG_ONE,
        hangup(ONE, 1, 17),
        back(1, f"{ONE}:Down:17:486:{OFFICE}", kind="NOBODY"),
        hangup(CALLER, 1.1, 17, TOLD_BY_DIALPLAN),
    ],
}


@pytest.mark.parametrize("story", STORIES)
def test_any_beginning_that_is_read_again_changes_nothing(story: str) -> None:
    events = STORIES[story]
    for end in range(1, len(events) + 1):
        for begin in range(end):
            state = after(*events[:end])
            read(state, events[begin:end])
            assert state == after(*events[:end])
            read(state, events[begin:])
            assert state == after(*events)


@given(st.sampled_from(sorted(STORIES)), st.data())
def test_a_line_that_comes_twice_wherever_changes_nothing(story: str, data: st.DataObject) -> None:
    events = list(STORIES[story])
    again = data.draw(st.lists(st.integers(0, len(events) - 1), max_size=6))
    doubled = [(place, one) for place, one in enumerate(events)]
    for place in again:
        later = data.draw(st.integers(place, len(events) - 1))
        doubled.append((later, events[place]))
    doubled.sort(key=lambda it: it[0])
    assert after(*[one for _, one in doubled]) == after(*events)


@pytest.mark.parametrize("story", STORIES)
def test_what_was_read_is_what_the_journal_says_of_it(story: str) -> None:
    """Nothing in the entries keeps them from the disk."""
    assert all(encode(entry) for entry in read(started(), STORIES[story]))


RECORDER = ["INFORMED", "REC_START", "REC_PAUSE", "REC_RESUME", "REC_STOP"]
OF_RECORDER = ["result", "began", "ended", "how", "at"]
texts = [
    "inf",
    "1795773600000",
    "1795773600.5",
    "SUCCESS",
    "LEFT",
    "key",
    "auto",
    "",
    "0",
    "16",
    "44",
    "250",
    "x",
    "9" * 30,
    C,
    D,
    OFFICE,
    legs_told(*BOTH),
    "&&:::::",
]
values = st.sampled_from(texts) | st.integers(0, 200) | st.none() | st.text("019x:&-", max_size=5)
keys = st.sampled_from(
    ["to", "hangupcause", "hangupsource", "legs", "rang", "progress", "status", "ring", *OF_RECORDER]
)


def any_event(kind: str, channel: str, seconds: int, extra: dict[str, Any]) -> CelEvent:
    """The values of a user event are text (engine.ari.cel)."""
    if kind not in BUILT_IN:
        extra = {key: str(value) for key, value in extra.items()}
    return event(kind, channel, seconds, **extra)


events_made_up = st.builds(
    any_event,
    st.sampled_from([*sorted(BUILT_IN), "RING", "BACK", "CALL", "NOBODY", "FALLBACK", *RECORDER]),
    st.sampled_from([CALLER, ONE, TWO, "dev-1795776980.9"]),
    st.integers(0, 100),
    st.dictionaries(keys, values, max_size=4),
)
events_seen = st.sampled_from([one for story in STORIES.values() for one in story])


@given(st.lists(events_made_up | events_seen, max_size=15))
def test_whatever_comes_in_whatever_order_the_state_makes_sense(events: list[CelEvent]) -> None:
    state = started()
    for one in events:
        with suppress(ValueError, KeyError):
            read(state, [one])
    for leg_id, leg in state.legs.items():
        assert leg.leg_id == leg_id
        assert (leg.outcome is None) == (leg.ended is None)
        assert leg.outcome is not Outcome.DONE
        assert leg.outcome is not Outcome.TAKEN or leg.connected is not None
    connected = [leg.leg_id for leg in state.legs.values() if leg.connected]
    assert (state.connected is None) == (not connected)
    assert state.connected is None or state.connected.leg in connected
    assert state.left is None or state.left.by in ("caller", "destination", "limit", "network", "engine")
    if state.left is not None and state.left.by in ("destination", "limit"):
        assert state.connected is not None
    assert state.handovers == [state.handed_over]
