"""What the journal's entries alone tell of a recorded conversation."""

from datetime import timedelta

from journal.entries import (
    CallerNotified,
    Entry,
    RecordingPaused,
    RecordingResumed,
    RecordingStarted,
    RecordingStopped,
)
from journal.state import fold
from storage.records import RecordingRecord, recordings
from tests.store.calls import answered_call, call_id, record_of
from tests.store.conversations import NOTICE, recorded_call, recording_id

(START,) = [entry for entry in recorded_call(1) if isinstance(entry, RecordingStarted)]
HEARD = {
    "result": "heard",
    "policy": "announce",
    "announcement": "recording-announcement",
    "sha256": "0" * 64,
    "language": "nl",
    "began": NOTICE["began"].isoformat(),
    "ended": NOTICE["ended"].isoformat(),
    "answer": "",
    "at": START.at.isoformat(),
}


def projected(entries: list[Entry]) -> tuple[RecordingRecord, ...]:
    return recordings(fold(entries))


def test_a_recording_begins_ends_and_is_kept_as_the_owner_said_then() -> None:
    (it,) = projected(recorded_call(1, form="opus", days=7))
    assert (it.recording_id, it.format, it.keep) == (recording_id(1), "opus", timedelta(days=7))
    assert (it.began, it.ended) == (START.at, START.at + timedelta(seconds=2))


def test_its_evidence_is_the_announcement_as_it_was_heard_and_every_change() -> None:
    (it,) = projected(recorded_call(1))
    assert it.evidence["notice"] == {**HEARD, "joined": [{**HEARD, "leg": f"{call_id(1)}-b2"}]}
    assert it.evidence["changes"] == [
        {"what": "pause", "at": (START.at + timedelta(seconds=0.5)).isoformat(), "how": None},
        {"what": "resume", "at": (START.at + timedelta(seconds=1)).isoformat(), "how": "key"},
        {"what": "end", "at": (START.at + timedelta(seconds=2)).isoformat(), "how": None},
    ]


def test_told_twice_it_is_one_recording() -> None:
    entries = recorded_call(1)
    (it,) = projected([*entries[:-1], START, entries[-1]])
    assert len(it.evidence["changes"]) == 3


def test_the_call_record_names_its_recording() -> None:
    record = record_of(recorded_call(1))
    assert (record.recording_id, record.outcome) == (recording_id(1), "answered")


def test_the_call_record_says_that_it_was_announced_or_why_it_was_not() -> None:
    announced, plain = record_of(recorded_call(1)), record_of(answered_call(1))
    assert announced.notice == projected(recorded_call(1))[0].evidence["notice"]
    assert plain.notice == {}
    start, *entries = answered_call(1)
    skipped = record_of(
        [start, CallerNotified(start.call, START.at, "skipped", "announce", "1.5 GB are free"), *entries]
    )
    assert skipped.notice == {
        "at": START.at.isoformat(),
        "result": "skipped",
        "policy": "announce",
        "why": "1.5 GB are free",
        "joined": [],
    }


def test_a_recording_whose_end_nobody_saw_is_one_all_the_same() -> None:
    (it,) = projected(recorded_call(1, end=False))
    assert it.ended is None


def test_a_call_that_was_not_recorded_has_none_whatever_was_announced() -> None:
    assert projected(answered_call(1)) == ()
    changes = (RecordingStarted, RecordingPaused, RecordingResumed)
    assert projected([it for it in recorded_call(1, end=False) if not isinstance(it, changes)]) == ()


def test_a_recording_that_was_stopped_says_how_and_when() -> None:
    stop = RecordingStopped(START.call, START.at + timedelta(seconds=1.5), "key")
    *entries, _ = recorded_call(1, end=False)
    (it,) = projected([*entries, stop])
    assert (it.ended, it.how) == (stop.at, "key")
