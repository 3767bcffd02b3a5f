"""The memory of calls that are over: exact, of at least so many, and of constant size."""

import tracemalloc
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID

from engine.ari.ended_calls import EndedCalls

CALLS = 1_000
NOON = datetime(2026, 11, 29, 12, 0, 0, 123_456, tzinfo=UTC)


def call_id(n: int) -> str:
    return str(UUID(int=0x018F0000_0000_7000_8000_000000000000 + n))


def at(n: int) -> datetime:
    return NOON + timedelta(microseconds=37 * n)


def test_each_of_the_last_calls_has_its_exact_instant_and_others_have_none() -> None:
    calls = EndedCalls(CALLS)
    for n in range(3 * CALLS + 7):
        calls.add(call_id(n), at(n))
    for n in range(2 * CALLS + 7, 3 * CALLS + 7):
        assert calls.get(call_id(n)) == at(n)
    assert not any(calls.get(call_id(n)) for n in range(CALLS))
    assert not any(calls.get(call_id(-n)) for n in range(1, CALLS))


def test_a_call_that_ends_again_has_its_last_instant_and_takes_no_room() -> None:
    calls = EndedCalls(CALLS)
    for n in range(CALLS):
        calls.add(call_id(n), at(n))
    for n in range(CALLS):
        calls.add(call_id(7), at(n))
    assert calls.get(call_id(7)) == at(CALLS - 1)
    assert calls.get(call_id(0)) == at(0)


def test_memory_does_not_grow_with_the_calls() -> None:
    tracemalloc.start()
    try:
        calls = EndedCalls(CALLS)
        sizes = []
        for n in range(6 * CALLS):
            calls.add(call_id(n), at(n))
            if n % CALLS == CALLS // 2:
                sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert all(abs(after - before) < 10_000 for before, after in pairwise(sizes)), sizes
