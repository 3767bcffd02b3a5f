"""A call's state projected into its record: each story a table of entries and what they amount to."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dialplan.result import Outcome, Result
from journal.entries import (
    BY_ENGINE,
    Answered,
    CallEnded,
    CallStarted,
    EndedBy,
    Entry,
    LegAnswered,
    LegConnected,
    LegEnded,
    LegRang,
    LegStarted,
    MessageStarted,
    StepPerformed,
    Turned,
)
from journal.state import fold
from storage.records import CallRecord, LegRecord, call_record

BEGAN = datetime(2026, 11, 24, 10, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return BEGAN + timedelta(seconds=seconds)


START = CallStarted("c", at(0), "+3270012345", "acme", True, "here", "c")


def end(seconds: float, outcome: Result, by: EndedBy = "caller", cause: int | None = 16) -> Entry:
    return CallEnded("c", at(seconds), outcome, by, cause)


def projected(*entries: Entry) -> CallRecord:
    return call_record(fold([START, *entries]))


ANSWERED: tuple[Entry, ...] = (
    Turned("c", "hours", "open until 17:30"),
    LegStarted("c", at(1), "c-b1", "+3221112233"),
    LegStarted("c", at(1.25), "c-b2", "+3221112244"),
    LegRang("c", at(1.5), "c-b2"),
    LegAnswered("c", at(5.9), "c-b2"),
    LegConnected("c", at(5.99), "c-b2"),
    Answered("c", at(6)),
    LegEnded("c", at(6.01), "c-b1", Outcome.NO_ANSWER, 26, 487),
    StepPerformed("c", "ring", Outcome.TAKEN, (0,), at(66)),
    LegEnded("c", at(66.5), "c-b2", Outcome.TAKEN, 16, 200),
    end(66.5, Result.ANSWERED),
)

# The same as commit adc1be6 tells it: no leg is told to be connected, and the answer tells where.
OLDER = tuple(
    Answered("c", at(6), "+3221112244") if isinstance(entry, Answered) else entry
    for entry in ANSWERED
    if not isinstance(entry, LegConnected)
)


def test_a_call_that_was_answered_by_the_second_destination() -> None:
    assert projected(*ANSWERED) == CallRecord(
        call_id="c",
        number="+3270012345",
        owner="acme",
        caller="",
        withheld=True,
        began=at(0),
        node="here",
        answered=at(6),
        connected=at(5.99),
        ended=at(66.5),
        delivered_to="+3221112244",
        outcome="answered",
        ended_by="caller",
        cause=16,
        legs=(
            LegRecord("c-b1", "+3221112233", at(1), ended=at(6.01), outcome="no_answer", cause=26, sip=487),
            LegRecord(
                leg_id="c-b2",
                to="+3221112244",
                began=at(1.25),
                ringing=at(1.5),
                answered=at(5.9),
                connected=at(5.99),
                ended=at(66.5),
                outcome="taken",
                cause=16,
                sip=200,
            ),
        ),
    )


def test_an_older_journal_tells_the_same_but_for_the_connection() -> None:
    record, older = projected(*ANSWERED), projected(*OLDER)
    legs = tuple(replace(leg, connected=None) for leg in record.legs)
    assert older == replace(record, connected=None, legs=legs)


@pytest.mark.parametrize(
    ("entries", "to"),
    [
        ((), ""),
        ((Answered("c", at(1)),), ""),
        ((Answered("c", at(1)), MessageStarted("c", at(5), "c-vm1", {})), "voicemail"),
        ((Answered("c", at(1), "voicemail"),), "voicemail"),
        ((Answered("c", at(1), BY_ENGINE),), ""),
        ((Answered("c", at(1), BY_ENGINE), Answered("c", at(2), "voicemail")), "voicemail"),
        ((*ANSWERED[:-1], MessageStarted("c", at(70), "c-vm1", {})), "+3221112244"),
        (OLDER, "+3221112244"),
    ],
    ids=[
        "nowhere",
        "announced",
        "a message",
        "an older greeting",
        "answered as the engine died",
        "answered, and then a greeting",
        "a talk, then a message",
        "an older talk",
    ],
)
def test_a_call_is_delivered_to_whoever_talked_with_the_caller(entries: tuple[Entry, ...], to: str) -> None:
    assert projected(*entries).delivered_to == to


RING = LegStarted("c", at(2), "c-b1", "+3221112233")
BUSY = LegEnded("c", at(3.5), "c-b1", Outcome.BUSY, 17, 486)
BEFORE_RINGING = (Answered("c", at(1)), RING, LegConnected("c", at(7), "c-b1"), end(10, Result.ANSWERED))


@pytest.mark.parametrize(
    ("entries", "ring", "talk"),
    [
        (ANSWERED, 5, 60.5),
        ((RING, BUSY, end(4, Result.BUSY)), 1.5, 0),
        ((RING, end(9, Result.LOST, "lost", None)), 0, 0),
        ((end(1, Result.CLOSED, "engine"),), 0, 0),
        (BEFORE_RINGING, 5, 9),
        ((), 0, 0),
    ],
    ids=["answered", "busy", "lost in mid-ring", "closed", "answered before it rang", "still going on"],
)
def test_ringing_and_talking_are_computed_from_instants(
    entries: tuple[Entry, ...], ring: float, talk: float
) -> None:
    record = projected(*entries)
    assert (record.ring.total_seconds(), record.talk.total_seconds()) == (ring, talk)


def test_a_talk_over_a_clock_set_back_is_not_negative() -> None:
    record = projected(Answered("c", at(10)), end(9, Result.ANSWERED))
    assert record.talk == timedelta(0)


@pytest.mark.parametrize("shown", range(len(ANSWERED)))
def test_every_beginning_of_a_call_has_a_record_without_end(shown: int) -> None:
    assert projected(*ANSWERED[:shown]).ended is None
