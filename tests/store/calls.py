"""Calls as the journal tells them, for the store tests."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from msgspec.structs import replace

from dialplan.result import Outcome, Result
from journal.entries import (
    Answered,
    CallEnded,
    CallStarted,
    Entry,
    LegAnswered,
    LegConnected,
    LegEnded,
    LegRang,
    LegStarted,
)
from journal.state import fold
from storage.calls import Revised
from storage.records import CallRecord, call_record, messages, recordings

__all__ = [
    "NOON",
    "Entry",
    "answered_call",
    "call_id",
    "changed",
    "lost_call",
    "record_of",
    "revised",
    "start_of",
]

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def call_id(n: int) -> str:
    return str(UUID(int=0x018F_0000_0000_7000_8000_0000_0000_0000 + n))


def changed(entry: Entry, **facts: Any) -> Entry:
    """The same entry, but for these facts."""
    return replace(entry, **facts)


def start_of(n: int, **facts: Any) -> Entry:
    call = call_id(n)
    start = CallStarted(
        call, NOON + timedelta(seconds=n), "+3270012345", "acme", False, "here", f"{call}-a", "+32470111222"
    )
    return changed(start, **facts)


def answered_call(n: int, **start: Any) -> list[Entry]:
    """Call `n`, begun n seconds after noon: the first destination is busy, the second talks for 60.5 s."""
    call = call_id(n)
    first, second = f"{call}-b1", f"{call}-b2"

    def at(seconds: float) -> datetime:
        return NOON + timedelta(seconds=n + seconds)

    return [
        start_of(n, **start),
        LegStarted(call, at(1), first, "+3221112233"),
        LegEnded(call, at(2), first, Outcome.BUSY, 17, 486),
        LegStarted(call, at(2), second, "+3221112244"),
        LegRang(call, at(2.5), second),
        LegAnswered(call, at(6.1), second),
        LegConnected(call, at(6.12), second),
        Answered(call, at(6.123)),
        LegEnded(call, at(66.623), second, Outcome.TAKEN, 16, 200),
        CallEnded(call, at(66.623), Result.ANSWERED, "caller", 16),
    ]


def lost_call(n: int) -> list[Entry]:
    """The same call, as an engine tells it that found nothing but its start."""
    start, *_, end = answered_call(n)
    return [start, changed(end, outcome=Result.LOST, ended_by="lost", cause=None)]


def record_of(entries: list[Entry]) -> CallRecord:
    return call_record(fold(entries))


def revised(entries: list[Entry], rev: int) -> Revised:
    """As the drainer makes it."""
    state = fold(entries)
    return Revised(call_record(state), rev, messages(state), recordings(state))
