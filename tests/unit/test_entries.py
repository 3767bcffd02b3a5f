"""Entries as they stand in the journal: those of today, of an older engine, and of a newer one."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialplan.result import Outcome, Result
from journal import entries
from journal.codec import UnreadableEntry, decode, encode, kind_of
from journal.entries import (
    Answered,
    CallEnded,
    CallerLeft,
    CallerNotified,
    CallStarted,
    ClockStepped,
    DestinationLeftOut,
    Entry,
    FellBack,
    HandedOver,
    Heartbeat,
    LegAnswered,
    LegAsked,
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
from journal.recorder_terms import RecorderTerms

CALL = "018f0000-0000-7000-8000-000000000001"
AT = datetime(2026, 11, 24, 10, 0, 0, 123456, UTC)
# As Call._note of commit adc1be6 writes it.
OLD_AT = "2026-11-24T10:00:00.123456+00:00"
LEG = f"{CALL}-b1"
DELIVER = {
    "to": ["office@acme.example"],
    "then": None,
    "language": "nl",
    "audio": "mp3",
    "zone": "Europe/Brussels",
    "require_tls": False,
    "label": "",
    "path": [],
}
HEARD = {
    "policy": "announce",
    "announcement": "recording-announcement",
    "sha256": "0" * 64,
    "language": "nl",
    "began": "2026-11-24T10:00:01+00:00",
    "ended": "2026-11-24T10:00:05.5+00:00",
    "answer": "",
}
HEARD_NOW: dict[str, Any] = HEARD | {
    "began": datetime(2026, 11, 24, 10, 0, 1, tzinfo=UTC),
    "ended": datetime(2026, 11, 24, 10, 0, 5, 500_000, UTC),
}

# What engine/call.py, engine/served.py and engine/notice.py of commit adc1be6 write, and what it is today.
OLD: list[tuple[dict[str, Any], Entry]] = [
    (
        {"kind": "call_start", "at": OLD_AT, "number": "+3270012345", "owner": "acme",
         "caller": "+32470111222", "withheld": False, "node": "here",
         "channel": "here-1795776979.0", "missed": DELIVER},
        CallStarted(CALL, AT, "+3270012345", "acme", False, "here", "here-1795776979.0", "+32470111222",
                    missed=DELIVER),
    ),
    (
        {"kind": "call_start", "at": OLD_AT, "number": "+3270012345", "owner": "", "caller": "",
         "withheld": True, "node": "here", "channel": "here-1795776979.0"},
        CallStarted(CALL, AT, "+3270012345", "", True, "here", "here-1795776979.0"),
    ),
    ({"kind": "turn", "step": "hours", "why": "open until 17:30"}, Turned(CALL, "hours", "open until 17:30")),
    ({"kind": "step", "step": "ring", "outcome": "no_answer"},
     StepPerformed(CALL, "ring", Outcome.NO_ANSWER)),
    ({"kind": "leg_start", "at": OLD_AT, "leg": LEG, "to": "+3221112233"},
     LegStarted(CALL, AT, LEG, "+3221112233")),
    ({"kind": "leg_ringing", "at": OLD_AT, "leg": LEG}, LegRang(CALL, AT, LEG)),
    ({"kind": "leg_answer", "at": OLD_AT, "leg": LEG}, LegAnswered(CALL, AT, LEG)),
    ({"kind": "leg_end", "at": OLD_AT, "leg": LEG, "outcome": "busy", "cause": 17},
     LegEnded(CALL, AT, LEG, Outcome.BUSY, 17)),
    ({"kind": "answered", "at": OLD_AT, "to": "voicemail"}, Answered(CALL, AT, "voicemail")),
    ({"kind": "notice", "at": OLD_AT, "result": "heard", **HEARD},
     CallerNotified(CALL, AT, "heard", **HEARD_NOW)),
    ({"kind": "notice", "at": OLD_AT, "result": "skipped", "why": "1.5 GB are free", "policy": "opt_in"},
     CallerNotified(CALL, AT, "skipped", "opt_in", "1.5 GB are free")),
    ({"kind": "informed", "at": OLD_AT, "leg": LEG, "result": "heard", **HEARD},
     PartyNotified(CALL, AT, LEG, "heard", **HEARD_NOW)),
    ({"kind": "informed", "at": OLD_AT, "leg": LEG, "result": "known"},
     PartyNotified(CALL, AT, LEG, "known")),
    ({"kind": "informed", "at": OLD_AT, "leg": LEG, "result": "failed", "why": "not heard to its end"},
     PartyNotified(CALL, AT, LEG, "failed", "not heard to its end")),
    ({"kind": "rec_start", "at": OLD_AT, "audio": f"{CALL}-rec1", "keep_seconds": 86400, "format": "flac"},
     RecordingStarted(CALL, AT, f"{CALL}-rec1", 86400, "flac")),
    ({"kind": "rec_pause", "at": OLD_AT}, RecordingPaused(CALL, AT)),
    ({"kind": "rec_resume", "at": OLD_AT, "how": "auto"}, RecordingResumed(CALL, AT, "auto")),
    ({"kind": "rec_stop", "at": OLD_AT, "how": "key"}, RecordingStopped(CALL, AT, "key")),
    ({"kind": "rec_end", "at": OLD_AT, "audio": f"{CALL}-rec1"}, RecordingEnded(CALL, AT, f"{CALL}-rec1")),
    ({"kind": "vm_start", "at": OLD_AT, "audio": f"{CALL}-vm1", "deliver": DELIVER},
     MessageStarted(CALL, AT, f"{CALL}-vm1", DELIVER)),
    ({"kind": "vm_end", "at": OLD_AT, "audio": f"{CALL}-vm1", "how": "silence"},
     MessageEnded(CALL, AT, f"{CALL}-vm1", "silence")),
    ({"kind": "left_out", "at": OLD_AT, "to": "+3221112233", "attempts": 3},
     DestinationLeftOut(CALL, AT, "+3221112233", 3)),
    ({"kind": "call_end", "at": OLD_AT, "outcome": "answered", "ended_by": "limit", "cause": 16},
     CallEnded(CALL, AT, Result.ANSWERED, "limit", 16)),
]  # fmt: skip
NEW: list[Entry] = [
    ClockStepped(CALL, AT, datetime(2026, 11, 24, 9, 0, 0, tzinfo=UTC), 3600.0),
    Turned(CALL, "hours", "open", AT),
    StepPerformed(CALL, "ring", Outcome.TAKEN, (0, "hours", "open", 1), AT),
    StepPerformed(CALL, "share", Outcome.DONE, ("route", 0, "share"), AT, "call 57"),
    HandedOver(CALL, AT, ("+3221112233", "+3221112244"), 20, RecorderTerms("a-rec1", 60, "flac", "announce")),
    FellBack(CALL, AT),
    LegAsked(CALL, AT, LEG, "no_key"),
    LegConnected(CALL, AT, LEG),
    LegEnded(CALL, AT, LEG, Outcome.BUSY, 17, 486),
    Answered(CALL, AT),
    RecordingStarted(CALL, AT, f"{CALL}-rec1", 86400, "flac", LEG),
    CallerLeft(CALL, AT, "network", 16),
    Heartbeat(AT),
]
EVERY = [*(entry for _, entry in OLD), *NEW]


@pytest.mark.parametrize(("old", "entry"), OLD)
def test_an_entry_of_an_older_engine_is_read(old: dict[str, Any], entry: Entry) -> None:
    payload = json.dumps({"call": CALL, **old}, separators=(",", ":"), allow_nan=False).encode("ascii")
    assert decode(payload) == entry


@pytest.mark.parametrize(("old", "entry"), OLD)
def test_an_older_engine_finds_all_that_it_wrote_itself_in_an_entry_of_today(
    old: dict[str, Any], entry: Entry
) -> None:
    told = json.loads(encode(entry))
    assert set(told) >= {"call", *old}
    assert all(told[key] == old[key] for key in set(old) - {"at", "began", "ended"})
    assert all(datetime.fromisoformat(told[key]) == datetime.fromisoformat(old[key])
               for key in set(old) & {"at", "began", "ended"})  # fmt: skip


@pytest.mark.parametrize("entry", EVERY, ids=kind_of)
def test_an_entry_comes_back_as_it_was_written(entry: Entry) -> None:
    payload = encode(entry)
    assert payload.isascii()
    assert b"\n" not in payload
    assert decode(payload) == entry


def test_every_kind_of_entry_is_tried_here() -> None:
    structs = {
        it for it in vars(entries).values() if isinstance(it, type) and hasattr(it, "__struct_config__")
    }
    kinds = {it.__struct_config__.tag for it in structs if it.__name__[0] != "_"} - {None}
    assert {kind_of(entry) for entry in EVERY} == kinds
    assert len(kinds) == 26


@settings(deadline=None)
@given(text=st.text(st.characters(exclude_categories=())))
def test_whatever_text_a_caller_sends_comes_back_the_same(text: str) -> None:
    entry = CallStarted(text, AT, text, text, False, "here", text, caller=text)
    payload = encode(entry)
    assert payload.isascii()
    assert b"\n" not in payload
    assert decode(payload) == entry


def test_what_a_newer_engine_adds_to_an_entry_is_passed_over() -> None:
    told = {**json.loads(encode(LegRang(CALL, AT, LEG))), "codec": {"name": "opus", "rates": [8000]}}
    assert decode(json.dumps(told).encode()) == LegRang(CALL, AT, LEG)


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (b'{"call":"c","kind":"teleported","at":"2026-11-24T10:00:00Z"}', "teleported"),
        (b'{"call":"c","at":"2026-11-24T10:00:00Z"}', "kind"),
        (b'{"call":"c","kind":"leg_ringing","at":"yesterday","leg":"c-b1"}', "datetime"),
        (b'{"call":"c","kind":"leg_ringing","at":"2026-11-24T10:00:00","leg":"c-b1"}', "time zone"),
        (b'{"call":"c","kind":"leg_ringing","at":"2026-11-24T10:00:00Z"}', "leg"),
        (b'{"call":"c","kind":"step","step":"ring","outcome":"teleported"}', "outcome"),
        (b'{"call":"c","kind":"leg_ri', "truncated"),
        (b"", "truncated"),
        (b"\xff", "malformed"),
        (b"[]", "array"),
    ],
)
def test_what_is_no_entry_says_why(payload: bytes, why: str) -> None:
    with pytest.raises(UnreadableEntry, match=why):
        decode(payload)


def test_an_instant_without_time_zone_is_refused_before_it_is_written() -> None:
    with pytest.raises(ValueError, match="time zone"):
        encode(LegRang(CALL, AT.replace(tzinfo=None), LEG))


def test_null_in_an_older_journal_is_a_field_without_a_value() -> None:
    older = (
        b'{"kind":"call_start","call":"c","at":"2026-11-24T12:00:00Z","number":"+3270012345","owner":"acme"'
    )
    older += b',"caller":null,"withheld":true,"node":"here","channel":"1.2"}'
    entry = decode(older)
    assert isinstance(entry, CallStarted)
    assert (entry.caller, entry.withheld) == ("", True)
