"""A call's entries folded into its record: each story a table of entries and what they amount to."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from storage.records import CallRecord, LegRecord, fold

BEGAN = datetime(2026, 11, 24, 10, tzinfo=UTC)

Entry = dict[str, Any]


def at(seconds: float) -> datetime:
    return BEGAN + timedelta(seconds=seconds)


def entry(kind: str, seconds: float, **more: Any) -> Entry:
    return {"call": "c", "kind": kind, "at": at(seconds).isoformat(), **more}


START = entry(
    "call_start", 0, number="+3270012345", owner="acme", caller="", withheld=True, node="here", channel="c"
)


def end(seconds: float, outcome: str, by: str = "caller", cause: int | None = 16) -> Entry:
    return entry("call_end", seconds, outcome=outcome, ended_by=by, cause=cause)


def folded(*entries: Entry) -> CallRecord:
    record = fold([START, *entries])
    assert record is not None
    return record


ANSWERED = (
    entry("turn", 0, step="hours", why="open until 17:30"),
    entry("leg_start", 1, leg="c-b1", to="+3221112233"),
    entry("leg_start", 1.25, leg="c-b2", to="+3221112244"),
    entry("leg_ringing", 1.5, leg="c-b2"),
    entry("leg_answer", 6, leg="c-b2"),
    entry("answered", 6, to="+3221112244"),
    entry("leg_end", 6.01, leg="c-b1", outcome="no_answer", cause=26),
    entry("step", 66, step="ring", outcome="taken"),
    entry("leg_end", 66.5, leg="c-b2", outcome="taken", cause=16),
    end(66.5, "answered"),
)


def test_a_call_that_was_answered_by_the_second_destination() -> None:
    assert folded(*ANSWERED) == CallRecord(
        call_id="c",
        number="+3270012345",
        owner="acme",
        caller="",
        withheld=True,
        began=at(0),
        node="here",
        answered=at(6),
        ended=at(66.5),
        delivered_to="+3221112244",
        outcome="answered",
        ended_by="caller",
        cause=16,
        legs=(
            LegRecord("c-b1", "+3221112233", at(1), None, None, at(6.01), "no_answer", 26),
            LegRecord("c-b2", "+3221112244", at(1.25), at(1.5), at(6), at(66.5), "taken", 16),
        ),
    )


RING = entry("leg_start", 2, leg="c-b1", to="+3221112233")
BUSY = entry("leg_end", 3.5, leg="c-b1", outcome="busy", cause=17)


@pytest.mark.parametrize(
    ("entries", "ring", "talk"),
    [
        (ANSWERED, 5, 60.5),
        ((RING, BUSY, end(4, "busy")), 1.5, 0),
        ((RING, end(9, "lost", by="lost", cause=None)), 0, 0),
        ((end(1, "closed", by="engine"),), 0, 0),
        ((), 0, 0),
    ],
    ids=["answered", "busy", "lost in mid-ring", "closed", "still going on"],
)
def test_ringing_and_talking_are_computed_from_instants(
    entries: tuple[Entry, ...], ring: float, talk: float
) -> None:
    record = folded(*entries)
    assert (record.ring.total_seconds(), record.talk.total_seconds()) == (ring, talk)


def test_a_talk_over_a_clock_set_back_is_not_negative() -> None:
    record = folded(entry("answered", 10, to="+3221112233"), end(9, "answered"))
    assert record.talk == timedelta(0)


@pytest.mark.parametrize("shown", range(len(ANSWERED)))
def test_every_beginning_of_a_call_has_a_record_without_end(shown: int) -> None:
    assert folded(*ANSWERED[:shown]).ended is None


def test_entries_without_a_beginning_are_no_record() -> None:
    assert fold(ANSWERED) is None


def test_a_call_told_again_from_its_beginning_is_what_it_was_told_last() -> None:
    assert folded(end(9, "lost", by="lost"), START, *ANSWERED) == folded(*ANSWERED)
