"""The kill test finds what is wrong: a silence, and a record that is not as the telephones saw it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from storage.records import CallRecord, LegRecord
from tests.live.traffic.seen import LegSeen, Seen, longest_silence, phases
from tests.live.traffic.truth import Evidence, Held, hold

TO, NUMBER, RECORDING = "+32470000001", "+3280000001", "call-rec1"
TALK = (0.0, 2.0)
SAID = [n / 50 for n in range(100)]
LATE = 0.05


def heard(said: Sequence[float], *, but: tuple[float, float] = (9, 9)) -> list[float]:
    """What is said arrives 1 ms later, but for that time."""
    return [at + 0.001 for at in said if not but[0] <= at < but[1]]


@pytest.mark.parametrize(
    ("said", "arrived", "silence"),
    [
        (SAID, heard(SAID), 0.02),
        (SAID, heard(SAID, but=(1.0, 1.1)), 0.12),  # five packets are lost
        (SAID, [*heard(SAID[:50]), *(at + 0.2 for at in SAID[50:90])], 0.219),  # or late
        (SAID, heard(SAID, but=(0, 0.3)), 0.301),
        (SAID, heard(SAID, but=(1.7, 2)), 0.319),
        (SAID, [], 2.0),
    ],
)
def test_the_longest_time_in_which_one_was_not_heard(
    said: list[float], arrived: list[float], silence: float
) -> None:
    assert longest_silence(said, arrived, TALK) == pytest.approx(silence, abs=0.002)


def test_where_nothing_was_said_there_was_nothing_to_hear() -> None:
    said = [*SAID[:20], *SAID[50:]]  # a key, or a telephone that is late itself
    assert longest_silence(said, heard(said), TALK) == pytest.approx(0.02, abs=0.002)


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(1000 + seconds, UTC)


LEG = LegSeen(TO, 1001, 1001.1, 1002, 1012, "bye", early=False, fallback=False, sounds=((1002.1, 1004.1),))
SEEN = Seen(
    script="paused",
    before="consent",
    number=NUMBER,
    who="+3225000001",
    began=1000,
    answered=1004.1,
    ended=1012,
    ended_by="caller",
    to=TO,
    caller_silence=0.02,
    destination_silence=0.02,
    sounds=(),
    keys=(("*", 1005.8), ("1", 1006), ("*", 1007.8), ("1", 1008)),
    legs=(LEG,),
)
RECORD = CallRecord(
    call_id="call",
    number=NUMBER,
    owner="steady",
    caller="+3225000001",
    withheld=False,
    began=at(0),
    node="dev",
    answered=at(4.1),
    connected=at(4.1),
    ended=at(12),
    delivered_to=TO,
    outcome="answered",
    ended_by="caller",
    recording_id=RECORDING,
    notice={"joined": [{"result": "heard", "ended": at(4.1).isoformat()}]},
    legs=(LegRecord("call-1", TO, at(1), at(1.1), at(2), at(4.1), at(12), "taken"),),
)
CHANGES = [{"what": what, "at": at(s).isoformat()} for what, s in (("pause", 6.02), ("resume", 8.02))]
RECORDINGS: dict[str, Evidence] = {RECORDING: {"began": at(4.1), "ended": at(12), "changes": CHANGES}}


def held(*records: CallRecord, recordings: dict[str, Evidence] | None = None) -> Held:
    return hold([SEEN], records, RECORDINGS if recordings is None else recordings)


def test_of_a_true_record_nothing_is_wrong() -> None:
    found = held(RECORD)
    assert (found.wrong, found.far(LATE), found.missing, found.doubled) == ([], [], 0, 0)
    assert set(found.differences) >= {
        "began",
        "answered",
        "ended",
        "leg ringing",
        "pause",
        "announcement ended",
    }


def leg(**changes: Any) -> dict[str, Any]:
    return {"legs": (replace(RECORD.legs[0], **changes),)}


@pytest.mark.parametrize(
    "untrue",
    [
        {"began": at(0.06)},
        {"answered": at(4.04)},
        {"answered": None},
        {"ended": at(12.06)},
        {"ended_by": "destination"},
        {"outcome": "voicemail"},
        {"delivered_to": ""},
        {"recording_id": ""},
        {"recording_id": "another"},
        {"notice": {"joined": [{"result": "heard", "ended": at(4.2).isoformat()}]}},
        {"legs": ()},
        {"legs": RECORD.legs * 2},
        leg(to="+32470000002"),
        leg(began=at(1.06)),
        leg(ringing=None),
        leg(ringing=at(1.2)),
        leg(answered=at(2.06)),
        leg(ended=None),
        leg(ended=at(11)),
    ],
    ids=str,
)
def test_a_record_that_is_not_as_the_telephones_saw_it_is_found(untrue: dict[str, Any]) -> None:
    found = held(replace(RECORD, **untrue))
    assert len(found.wrong + found.far(LATE)) == 1


@pytest.mark.parametrize(
    ("seen", "sip", "is_found"),
    [
        ({"crossed": True}, 180, False),
        ({"answered": 1011.97}, 180, False),
        ({"answered": 1011.97, "how": "cancel"}, 180, True),
        ({}, 180, True),
        ({"crossed": True}, 200, True),  # with the leg's 200 in the record, its answer has to be there too
    ],
)
def test_a_leg_without_its_answer_is_found_unless_asterisk_had_ended_it(
    seen: dict[str, Any], sip: int, is_found: bool
) -> None:
    call = replace(SEEN, to="", answered=None, legs=(replace(LEG, sounds=(), **seen),))
    record = replace(RECORD, answered=None, connected=None, delivered_to="", outcome="abandoned")
    record = replace(record, recording_id="", notice={}, **leg(answered=None, sip=sip))
    found = hold([call], [record], {})
    assert (bool(found.wrong), found.crossed) == (is_found, not is_found)


@pytest.mark.parametrize(
    ("seen", "is_found"),
    [({"ended": 1001.13}, False), ({"ended": 1001.2}, True), ({"ended": 1001.13, "how": "bye"}, True)],
)
def test_a_leg_without_its_ringing_is_found_unless_it_was_cancelled_at_once(
    seen: dict[str, Any], is_found: bool
) -> None:
    rang = replace(LEG, **{"answered": None, "sounds": (), "how": "cancel", **seen})
    call = replace(SEEN, to="", answered=None, legs=(rang,))
    record = replace(RECORD, answered=None, connected=None, delivered_to="", outcome="abandoned")
    record = replace(record, recording_id="", notice={}, **leg(answered=None, ringing=None, sip=0))
    found = hold([call], [record], {})
    assert (bool(found.wrong), found.crossed) == (is_found, not is_found)


def test_a_destination_that_talked_has_its_answer() -> None:
    call = replace(SEEN, legs=(replace(LEG, crossed=True),))
    assert len(hold([call], [replace(RECORD, **leg(answered=None))], RECORDINGS).wrong) == 1


@pytest.mark.parametrize(
    "untrue", [{"began": at(4)}, {"ended": at(13)}, {"changes": CHANGES[:1]}, {"changes": CHANGES * 2}]
)
def test_so_is_a_recording(untrue: dict[str, Any]) -> None:
    found = held(RECORD, recordings={RECORDING: {**RECORDINGS[RECORDING], **untrue}})
    assert len(found.wrong + found.far(LATE)) == 1


def test_a_missing_record_is_found_and_one_too_many() -> None:
    assert held().missing == 1
    assert held(RECORD, replace(RECORD, call_id="another")).doubled == 1
    assert (held(replace(RECORD, began=at(2))).missing, held(replace(RECORD, began=at(2))).doubled) == (1, 1)


def test_the_phases_of_a_call_are_where_it_was() -> None:
    assert list(phases(SEEN)) == [
        ("consent", (1000, 1001)),
        ("ringing", (1001, 1002)),
        ("consent", (1002, 1004.1)),
        ("paused", (1006, 1008)),
        ("recorded", (1004.1, 1006)),
        ("recorded", (1008, 1012)),
    ]
    plain = replace(SEEN, legs=(replace(LEG, sounds=()),))
    assert list(phases(plain))[-1] == ("talking", (1004.1, 1012))
    assert list(phases(replace(plain, to="")))[-1] == ("voicemail", (1004.1, 1012))
    early = replace(plain, legs=(replace(LEG, early=True),))
    assert ("early media", (1001, 1002)) in phases(early)
