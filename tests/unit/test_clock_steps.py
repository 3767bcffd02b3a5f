"""The wall clock is set in the middle of a call: its durations are those of the telephones all the same."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from dialplan.result import Outcome, Result
from journal.entries import (
    Answered,
    CallEnded,
    CallerLeft,
    CallStarted,
    ClockStepped,
    Entry,
    LegConnected,
    LegEnded,
    LegRang,
    LegStarted,
    RecordingEnded,
    RecordingStarted,
)
from journal.state import fold
from storage.records import CallRecord, call_record, recordings

BEGAN = datetime(2026, 11, 24, 10, tzinfo=UTC)
LEG = "c-b1"
LOOK = timedelta(seconds=0.25)  # between two looks at the clock
RINGS, TALKS = timedelta(seconds=4), timedelta(seconds=12)
HOUR = 3600.0
STEPS = [HOUR, -HOUR, 1.5, -1.5, 86400.0, -86400.0]


def call(step_after: float, seconds: float, *, look: timedelta = LOOK, late: int = 0) -> list[Entry]:
    """A call of 17 s whose clock is set by `seconds` when it is `step_after` seconds old.

    The step is seen at the next look, which comes before an entry is noted, if not before. `late`: so many
    entries of before are noted behind it.
    """
    real = timedelta(seconds=step_after)
    by = timedelta(seconds=seconds)

    def at(after: float) -> datetime:
        """What the clock shows so long after the call has come in."""
        return BEGAN + timedelta(seconds=after) + (by if timedelta(seconds=after) > real else timedelta(0))

    entries: list[Entry] = [
        CallStarted("c", at(0), "+3270012345", "acme", False, "here", "here-1"),
        LegStarted("c", at(1), LEG, "+3221112233"),
        LegRang("c", at(1.2), LEG),
        Answered("c", at(5)),
        LegConnected("c", at(5.01), LEG),
        CallerLeft("c", at(17), "caller", 16),
        LegEnded("c", at(17.001), LEG, Outcome.TAKEN, 16),
        CallEnded("c", at(17), Result.ANSWERED, "caller", 16),
    ]
    following = min(timedelta(seconds=it) for it in (1, 1.2, 5, 5.01, 17) if it > step_after)
    seen = min(real + look / 2, following)
    step = ClockStepped("c", BEGAN + seen + by, BEGAN + seen - look, seconds)
    place = sum(1 for it in (0, 1, 1.2, 5, 5.01, 17, 17.001, 17) if it <= step_after) - late
    return [*entries[:place], step, *entries[place:]]


def record_of(entries: Sequence[Entry]) -> CallRecord:
    return call_record(fold(entries))


@pytest.mark.parametrize("seconds", STEPS)
@pytest.mark.parametrize("after", [0.5, 3, 9])
def test_ring_and_talk_do_not_follow_the_clock(seconds: float, after: float) -> None:
    record = record_of(call(after, seconds))
    assert (record.ring, record.talk) == (RINGS, TALKS)
    assert record.clock == {"stepped": seconds, "ring": 4, "talk": 12}
    assert record.ended is not None
    assert record.ended - record.began == timedelta(seconds=17 + seconds)  # the instants are the clock's


@pytest.mark.parametrize("seconds", STEPS)
def test_what_happened_just_before_the_step_may_be_noted_after_it(seconds: float) -> None:
    """CEL is read some 30 ms later: the answer, 0.1 s old, stands behind the step in the journal."""
    record = record_of(call(5.1, seconds, late=2))
    assert (record.ring, record.talk) == (RINGS, TALKS)


@given(
    after=st.floats(0.01, 16.5),
    seconds=st.floats(30, 90_000) | st.floats(-90_000, -30),
    look=st.timedeltas(timedelta(seconds=0.01), timedelta(seconds=1)),
)
def test_whenever_it_is_set_and_by_however_much(after: float, seconds: float, look: timedelta) -> None:
    record = record_of(call(after, round(seconds, 3), look=look))
    assert abs(record.ring - RINGS) < timedelta(milliseconds=1)
    assert abs(record.talk - TALKS) < timedelta(milliseconds=1)


@given(
    st.dictionaries(
        st.integers(52, 168).map(lambda tenths: tenths / 10),
        st.integers(-90_000, -30) | st.integers(30, 90_000),
        min_size=2,
        max_size=4,
    )
)
@example({9.0: -3600, 11.0: -3600})
def test_however_often_it_is_set(steps: Mapping[float, int]) -> None:
    """Set back twice by an hour, the clock is far from the answer: what it showed alone does not tell."""

    def at(after: float) -> datetime:
        by = sum(seconds for when, seconds in steps.items() if when <= after)
        return BEGAN + timedelta(seconds=after + by)

    *told, left, ended, end = [entry for entry in call(16, 0) if not isinstance(entry, ClockStepped)]
    set_by = [ClockStepped("c", at(when), at(when - 0.05), steps[when]) for when in sorted(steps)]
    last = [replace(entry, at=at(17)) for entry in (left, ended, end)]
    record = record_of([*told, *set_by, *last])
    assert (record.ring, record.talk) == (RINGS, TALKS)
    assert record.clock["stepped"] == sum(steps.values())


@pytest.mark.parametrize("seconds", STEPS)
def test_what_is_recorded_lasts_as_long_as_it_did(seconds: float) -> None:
    """Or there would be an hour of silence in it, or an hour be missing."""
    *told, left, ended, end = call(9, seconds)
    began, over = BEGAN + timedelta(seconds=5.02), left.at
    assert over is not None
    told.insert(5, RecordingStarted("c", began, "c-rec1", 86400, "wav", LEG))
    state = fold([*told, left, RecordingEnded("c", over, "c-rec1"), ended, end])
    (recording,) = recordings(state)
    assert recording.ended is not None
    assert recording.ended - recording.began == timedelta(seconds=17 - 5.02)


def test_a_clock_that_is_set_and_set_back_is_set_by_nothing() -> None:
    *told, _, _, _ = call(7, HOUR)
    there = BEGAN + timedelta(seconds=HOUR + 10)
    back = ClockStepped("c", there - timedelta(seconds=HOUR), there - LOOK, -HOUR)
    at = BEGAN + timedelta(seconds=17)
    last: list[Entry] = [
        CallerLeft("c", at, "caller", 16),
        LegEnded("c", at, LEG, Outcome.TAKEN, 16),
        CallEnded("c", at, Result.ANSWERED, "caller", 16),
    ]
    record = record_of([*told, back, *last])
    assert (record.ring, record.talk) == (RINGS, TALKS)
    assert record.clock == {"stepped": 0, "ring": 4, "talk": 12}


def test_a_step_that_is_told_twice_counts_once() -> None:
    told = call(9, HOUR)
    step = next(entry for entry in told if isinstance(entry, ClockStepped))
    assert fold([*told, step]) == fold(told)


def test_without_a_step_the_record_says_nothing_of_the_clock() -> None:
    told = [entry for entry in call(9, HOUR) if not isinstance(entry, ClockStepped)]
    assert record_of(told).clock == {}
    assert record_of(told).talk == TALKS + timedelta(hours=1)  # which is what it says without this entry
