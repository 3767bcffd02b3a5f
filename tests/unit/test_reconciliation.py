"""Reconciliation: what CEL, journal and records do not have in common is found, and explained."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from journal.cel_calls import CelCall
from journal.ended_calls import JournalledCalls
from journal.ids import call_id_of
from journal.state import fold
from storage.reconciliation import Comparison, Difference, Kind, Reconciliation, Witnesses
from storage.records import CallRecord, call_record
from tests.store.calls import answered_call, changed

NODE = "here"
CHANNEL = "here-1764000000.8"
CALL = call_id_of(CHANNEL, NODE)
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
SINCE, UNTIL = NOON - timedelta(hours=1), NOON + timedelta(hours=1)
ENTRIES = [changed(entry, call=CALL) for entry in answered_call(0)]
STATE = fold(ENTRIES)
RECORD = call_record(STATE)
CEL = CelCall(
    CHANNEL,
    "+3270012345",
    NOON,
    NOON + timedelta(seconds=6.123),
    NOON + timedelta(seconds=66.623),
    taken_in=True,
)
ENDED = JournalledCalls(ended={CALL: STATE})
NOTHING = JournalledCalls()


def compared(
    cel: CelCall | None = CEL,
    record: CallRecord | None = RECORD,
    journal: JournalledCalls = ENDED,
    **more: Any,
) -> Reconciliation:
    calls, records = [cel] if cel else [], [record] if record else []
    reaches = more.pop("reaches", SINCE)
    return of(calls, records, journal, Witnesses(reaches, **more))


def of(
    calls: list[CelCall], records: list[CallRecord], journal: JournalledCalls, witnesses: Witnesses
) -> Reconciliation:
    comparison = Comparison(NODE, calls, witnesses, SINCE, UNTIL)
    for record in records:
        comparison.add(record)
    return comparison.result(journal)


def difference(**what: Any) -> Difference:
    (found,) = compared(**what).differences
    return found


def test_where_all_three_say_the_same_there_is_none() -> None:
    assert compared() == Reconciliation(1, 1, ())


def test_50_ms_are_no_difference_and_more_is_one() -> None:
    assert CEL.ended is not None
    near, far = (replace(CEL, ended=CEL.ended + timedelta(seconds=by)) for by in (0.05, 0.051))
    assert compared(near).differences == ()
    found = difference(cel=far)
    assert (found.kind, found.call_id, found.number) == (Kind.DURATION, CALL, "+3270012345")
    assert found.what == "CEL has 60.551 s, the record 60.500 s"


def test_a_record_that_is_lost_although_cel_has_the_end_is_explained() -> None:
    lost = replace(RECORD, outcome="lost", ended_by="lost", ended=NOON + timedelta(seconds=30))
    assert "read too late" in difference(record=lost).why


def test_where_asterisk_died_in_the_call_cel_has_no_end_to_compare() -> None:
    lost = replace(RECORD, outcome="lost", ended_by="lost", ended=NOON + timedelta(seconds=30))
    assert compared(replace(CEL, ended=None), lost).differences == ()


def test_where_the_clock_was_set_cel_says_nothing_of_the_duration() -> None:
    stepped = replace(RECORD, clock={"stepped": 3600.0, "ring": 5.0, "talk": 10.0})
    assert compared(record=stepped).differences == ()


def test_a_call_that_no_engine_noted_has_no_record() -> None:
    found = difference(record=None, journal=NOTHING)
    assert found.kind == Kind.NO_RECORD
    assert found.what == "no engine journalled it: answered for 60.500 s"
    assert "by hand" in found.why


def test_a_call_that_waits_in_the_journal_is_explained_by_it() -> None:
    found = difference(record=None)
    assert found.what == "the journal has it whole: answered, 60.500 s, ended by caller"
    assert "drain_backlog_bytes" in found.why


def test_a_live_call_is_no_difference() -> None:
    live = JournalledCalls(open_calls={CALL})
    assert compared(replace(CEL, ended=None), None, live).differences == ()


def test_a_call_that_ended_in_cel_and_lives_in_the_journal_is_one() -> None:
    found = difference(record=None, journal=JournalledCalls(open_calls={CALL}))
    assert "the journal has it as live" in found.what


@pytest.mark.parametrize("why", ["trunk", "number", "loop", "hops", "guard"])
def test_a_refused_call_has_no_record_on_purpose(why: str) -> None:
    refused = replace(CEL, answered=None, refused=why)
    assert compared(refused, None, NOTHING).differences == ()


def test_a_record_without_a_line_of_cel_is_found_as_far_as_cel_reaches() -> None:
    assert difference(cel=None).kind == Kind.NO_CEL
    assert compared(None, reaches=NOON).differences == ()
    assert compared(None, reaches=None).differences == ()


def test_a_dead_letter_is_the_explanation_of_everything_else() -> None:
    found = difference(record=None, dead={CALL: "2 entries cannot be read"})
    assert found.kind == Kind.DEAD_LETTER
    assert found.why.startswith("2 entries cannot be read")


def test_a_record_whose_id_is_not_made_of_the_channel_alone_is_found_by_number_and_beginning() -> None:
    """Asterisk gave the channel's id twice, so the second call has another id."""
    other = replace(RECORD, call_id=call_id_of(CHANNEL, NODE, NOON))
    assert compared(record=other).differences == ()
    assert compared(replace(CEL, number="070012345"), other).differences == ()


def test_of_two_calls_with_one_channel_id_each_has_its_record() -> None:
    hour = timedelta(minutes=30)
    assert CEL.answered is not None
    assert CEL.ended is not None
    again = CelCall(CHANNEL, CEL.number, CEL.began + hour, CEL.answered + hour, CEL.ended + hour)
    second_id = call_id_of(CHANNEL, NODE, again.began)
    entries = [changed(it, at=it.at and it.at + hour, call=second_id) for it in ENTRIES]
    second = call_record(fold(entries))
    assert of([CEL, again], [RECORD, second], ENDED, Witnesses(SINCE)) == Reconciliation(2, 2, ())
    (found,) = of([CEL, again], [second], ENDED, Witnesses(SINCE)).differences
    assert (found.kind, found.began) == (Kind.NO_RECORD, CEL.began)


def test_calls_outside_of_the_period_are_not_compared() -> None:
    def between(since: datetime, until: datetime) -> Reconciliation:
        return Comparison(NODE, [CEL], Witnesses(SINCE), since, until).result(NOTHING)

    assert between(NOON + timedelta(microseconds=1), UNTIL) == Reconciliation(0, 0, ())
    assert between(SINCE, NOON) == Reconciliation(0, 0, ())
    assert len(between(NOON, UNTIL).differences) == 1


def test_a_difference_reads_as_a_sentence_with_its_remedy() -> None:
    assert str(difference(record=None)) == (
        f"no record: call {CALL} to +3270012345 at 2026-11-24T12:00:00.000+00:00: the journal has it whole: "
        "answered, 60.500 s, ended by caller; the worker has not stored it: drain_backlog_bytes and the "
        "worker's log say why"
    )
