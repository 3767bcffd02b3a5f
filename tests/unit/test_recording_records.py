"""What the journal's entries alone tell of a recorded conversation."""

from datetime import datetime, timedelta

from storage.records import fold, fold_recordings
from tests.store.calls import answered_call, call_id
from tests.store.conversations import NOTICE, recorded_call, recording_id, str_of

START = recorded_call(1)[-6]


def test_a_recording_begins_ends_and_is_kept_as_the_owner_said_then() -> None:
    (it,) = fold_recordings(recorded_call(1, form="opus", days=7))
    assert START["kind"] == "rec_start"
    began = datetime.fromisoformat(START["at"])
    assert (it.recording_id, it.format, it.keep) == (recording_id(1), "opus", timedelta(days=7))
    assert (it.began, it.ended) == (began, began + timedelta(seconds=2))


def test_its_evidence_is_the_announcement_as_it_was_heard_and_every_change() -> None:
    (it,) = fold_recordings(recorded_call(1))
    (joined,) = it.evidence["notice"]["joined"]
    for heard in (it.evidence["notice"], joined):
        assert heard.items() >= NOTICE.items()
        assert not {"call", "kind"} & set(heard)
    assert joined["leg"] == f"{call_id(1)}-b2"
    assert it.evidence["changes"] == [
        {"what": "pause", "at": str_of(START, 0.5), "how": None},
        {"what": "resume", "at": str_of(START, 1.0), "how": "key"},
        {"what": "end", "at": str_of(START, 2.0), "how": None},
    ]


def test_what_the_recordings_beginning_tells_itself_is_evidence_too() -> None:
    entries = [it | {"notice": {"announcement": "own"}} if it == START else it for it in recorded_call(1)]
    (it,) = fold_recordings(entries)
    assert it.evidence["notice"] == {"announcement": "own"}


def test_told_twice_it_is_one_recording() -> None:
    entries = recorded_call(1)
    (it,) = fold_recordings([*entries[:-1], START, entries[-1]])
    assert len(it.evidence["changes"]) == 3


def test_the_call_record_names_its_recording() -> None:
    record = fold(recorded_call(1))
    assert record is not None
    assert (record.recording_id, record.outcome) == (recording_id(1), "answered")


def test_the_call_record_says_that_it_was_announced_or_why_it_was_not() -> None:
    announced, plain = fold(recorded_call(1)), fold(answered_call(1))
    assert announced is not None
    assert plain is not None
    assert announced.notice == fold_recordings(recorded_call(1))[0].evidence["notice"]
    assert plain.notice == {}
    start, *entries = answered_call(1)
    skipped = fold(
        [start, {**start, "kind": "notice", "result": "skipped", "why": "1.5 GB are free"}, *entries]
    )
    assert skipped is not None
    assert (skipped.notice["why"], skipped.notice["joined"]) == ("1.5 GB are free", [])


def test_a_recording_whose_end_nobody_saw_is_one_all_the_same() -> None:
    (it,) = fold_recordings(recorded_call(1, end=False))
    assert it.ended is None


def test_a_call_that_was_not_recorded_has_none_whatever_was_announced() -> None:
    assert fold_recordings(answered_call(1)) == ()
    assert fold_recordings([it for it in recorded_call(1) if not it["kind"].startswith("rec_")]) == ()


def test_a_recording_that_was_stopped_says_how_and_when() -> None:
    stop = {**START, "kind": "rec_stop", "at": str_of(START, 1.5), "how": "key"}
    entries = [it for it in recorded_call(1, end=False) if it["kind"] != "call_end"]
    (it,) = fold_recordings([*entries, stop])
    assert it.ended is not None
    assert (it.ended.isoformat(), it.how) == (stop["at"], "key")
