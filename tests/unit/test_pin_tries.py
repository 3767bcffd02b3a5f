"""Wrong PINs are counted by caller: a stranger locks only the stranger, and all guesses have a bound."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import pins
from engine.pin_tries import (
    DAY_SECONDS,
    LOCKED_SECONDS,
    LONGEST_LOCKED_SECONDS,
    MOST_OF_STRANGERS,
    MOST_WRONG,
    PinTries,
)
from engine.pins import Pins

TARGET, HASH, OWNER, STRANGER = "+3270012345", "a hash", "+32470111222", "+32470999999"


def tried(tries: PinTries, caller: str, now: float, pin_hash: str = HASH) -> bool:
    """Whether a wrong PIN of this caller was looked at, and not refused unseen."""
    if tries.why_locked(TARGET, caller, pin_hash, now):
        return False
    tries.wrong(TARGET, caller, pin_hash, now)
    return True


def test_a_stranger_locks_only_the_stranger() -> None:
    tries = PinTries()
    assert [tried(tries, STRANGER, 1.0) for _ in range(MOST_WRONG + 1)] == [True] * MOST_WRONG + [False]
    assert tries.why_locked(TARGET, OWNER, HASH, 1.0) == ""
    assert tries.why_locked("acme", STRANGER, HASH, 1.0) == ""  # another PIN


def test_callers_without_a_number_count_as_one_and_are_never_known() -> None:
    tries = PinTries()
    tries.right(TARGET, "", HASH)
    assert sum(tried(tries, "", 1.0) for _ in range(50)) == MOST_WRONG
    assert tries.why_locked(TARGET, OWNER, HASH, 1.0) == ""
    for n in range(MOST_OF_STRANGERS):
        tried(tries, f"+324{n:08d}", 1.0)
    assert tries.why_locked(TARGET, "", HASH, 1.0 + LOCKED_SECONDS) == "strangers locked"


def test_each_lock_lasts_twice_as_long_until_a_right_pin() -> None:
    tries, now, locks = PinTries(), 0.0, []
    tries.right(TARGET, OWNER, HASH)
    for _ in range(7):
        while tried(tries, OWNER, now):
            pass
        began = now
        while tries.why_locked(TARGET, OWNER, HASH, now):
            now += 600.0
        locks.append(now - began)
    assert locks == [LOCKED_SECONDS * n for n in (1, 2, 4, 8, 16)] + [LONGEST_LOCKED_SECONDS] * 2
    tries.right(TARGET, OWNER, HASH)
    while tried(tries, OWNER, now):
        pass
    assert tries.why_locked(TARGET, OWNER, HASH, now + LOCKED_SECONDS) == ""


def test_a_hundred_strangers_lock_all_strangers_for_a_day_and_no_one_who_knows_the_pin() -> None:
    tries = PinTries()
    tries.right(TARGET, OWNER, HASH)
    assert all(tried(tries, f"+324{n:08d}", float(n)) for n in range(MOST_OF_STRANGERS))
    assert tries.why_locked(TARGET, STRANGER, HASH, 200.0) == "strangers locked"
    assert tries.why_locked(TARGET, OWNER, HASH, 200.0) == ""
    assert tries.why_locked(TARGET, OWNER, "another PIN", 200.0) == "strangers locked"
    assert tries.why_locked(TARGET, STRANGER, HASH, DAY_SECONDS) == ""
    assert tried(tries, STRANGER, DAY_SECONDS)
    assert tries.why_locked(TARGET, STRANGER, HASH, DAY_SECONDS) == "strangers locked"


@given(
    st.lists(
        st.tuples(st.floats(0, 7200), st.sampled_from(["", OWNER, STRANGER, "+1", "+2", "+3", "+4"])),
        max_size=400,
    )
)
def test_strangers_never_have_more_than_the_bound_within_a_day(steps: list[tuple[float, str]]) -> None:
    tries, now, seen = PinTries(), 0.0, []
    for pause, caller in steps:
        now += pause
        if tried(tries, caller, now):
            seen.append(now)
    for began in seen:
        assert sum(began <= at < began + DAY_SECONDS for at in seen) <= MOST_OF_STRANGERS


def test_a_right_pin_is_not_accepted_from_a_locked_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(pins, "monotonic", lambda: now[0])
    pins.write(tmp_path, TARGET, "481516", "ops")
    known = Pins(tmp_path)
    for _ in range(MOST_WRONG):
        assert not known.is_right("000000", TARGET, "acme", STRANGER)
    assert not known.is_right("481516", TARGET, "acme", STRANGER)
    assert known.is_right("481516", TARGET, "acme", OWNER)
    now[0] += LOCKED_SECONDS
    assert known.is_right("481516", TARGET, "acme", STRANGER)
