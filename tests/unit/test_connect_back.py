"""What [connect] says of each leg when the caller comes back to the engine."""

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialplan.result import Outcome
from engine.ari.connect import attempts, returned
from engine.line import Attempt, Returned
from tests.unit.test_connect import CALL, HOME, OFFICE

# The way back.

AT = datetime(2026, 11, 24, 10, tzinfo=UTC)


def attempt(outcome: Outcome, cause: int, sip: int, *, refused: bool = False) -> Attempt:
    return Attempt(f"{CALL}-b7", OFFICE, outcome, cause, sip, refused)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("Down:17:486", attempt(Outcome.BUSY, 17, 486)),
        ("Down:21:603", attempt(Outcome.REJECTED, 21, 603, refused=True)),
        ("Down:21:403", attempt(Outcome.REJECTED, 21, 403, refused=True)),
        ("Ringing:21:603", attempt(Outcome.REJECTED, 21, 603)),  # by a person
        ("Down:1:404", attempt(Outcome.UNREACHABLE, 1, 404)),
        ("Ringing:58:488", attempt(Outcome.FAILED, 58, 488)),
        ("Ringing:0:180", attempt(Outcome.NO_ANSWER, 19, 180)),
        ("Ringing:0:0", attempt(Outcome.NO_ANSWER, 19, 0)),
        ("Ring:0:183", attempt(Outcome.NO_ANSWER, 19, 183)),
        ("Ring:0:182", attempt(Outcome.NO_ANSWER, 19, 182)),
        ("Ring:0:100", attempt(Outcome.UNREACHABLE, 19, 100)),
        ("Down:0:", attempt(Outcome.UNREACHABLE, 19, 0)),
        ("Down::", attempt(Outcome.UNREACHABLE, 19, 0)),
        ("Down:19:480", attempt(Outcome.NO_ANSWER, 19, 480)),
        ("Down:18:408", attempt(Outcome.UNREACHABLE, 18, 408)),
        ("Ringing:26:180", attempt(Outcome.NO_ANSWER, 26, 180)),
        ("Down:0:486", attempt(Outcome.BUSY, 17, 486)),  # the ring's time was over in that moment
        ("Down:0:480", attempt(Outcome.NO_ANSWER, 19, 480)),
        ("Down:0:503", attempt(Outcome.CONGESTED, 34, 503)),
        ("Ringing:26:486", attempt(Outcome.BUSY, 17, 486)),  # another destination answered in that moment
        ("Ringing:127:499", attempt(Outcome.FAILED, 127, 499)),  # a status that has no cause
        ("Down:127:0", attempt(Outcome.FAILED, 127, 0)),
        ("UpBUSY:16:200", attempt(Outcome.REJECTED, 16, 200)),  # left when it heard of the recording
        ("UpCONGESTION:16:200", attempt(Outcome.NO_ANSWER, 19, 200)),  # answered, and did not press 1
    ],
)
def test_what_came_of_a_leg(told: str, expected: Attempt) -> None:
    assert list(attempts(CALL, f"&dev-1795776979.7:{told}:{OFFICE}")) == [expected]


@pytest.mark.parametrize("cause", [0, 127, 16, 17])
def test_a_leg_that_refused_as_the_caller_gave_up_has_its_own_cause_and_not_the_callers(cause: int) -> None:
    told = f"&dev-1795776979.7:Ringing:{cause}:486:{OFFICE}"
    assert list(attempts(CALL, told, given_up=True)) == [attempt(Outcome.BUSY, 17, 486)]


@pytest.mark.parametrize("cause", [0, 127, 16])
def test_a_leg_that_the_caller_gave_up_was_hung_up_while_it_rang(cause: int) -> None:
    told = f"&dev-1795776979.7:Down:{cause}:0:{OFFICE}"
    assert list(attempts(CALL, told, given_up=True)) == [attempt(Outcome.NO_ANSWER, 16, 0)]


def test_a_leg_that_was_busy_before_the_caller_gave_up_was_busy() -> None:
    told = f"&dev-1795776979.7:Down:17:486:{OFFICE}"
    assert list(attempts(CALL, told, given_up=True)) == [attempt(Outcome.BUSY, 17, 486)]


def test_a_node_may_have_any_name() -> None:
    (one,) = attempts(CALL, f"&a:b:c-1795776979.7:Down:17:486:{OFFICE}")
    assert one == attempt(Outcome.BUSY, 17, 486)


def test_of_several_each_has_its_word_and_of_none_there_is_none() -> None:
    legs = f"&dev-1.7:Down:17:486:{OFFICE}&dev-1.8:Ringing:0:180:{HOME}"
    assert returned(CALL, "2", legs, AT) == Returned(
        2,
        (
            attempt(Outcome.BUSY, 17, 486),
            Attempt(f"{CALL}-b8", HOME, Outcome.NO_ANSWER, 19, 180),
        ),
        AT,
    )
    assert returned(CALL, "1", "", AT) == Returned(1, (), AT)


@pytest.mark.parametrize(
    "legs", ["x", "&dev-1.7", "&dev-1.7:Down:x:486:+32", "&dev-1.7:Down:17:SIP:+32", "&:::"]
)
def test_what_is_no_leg_is_refused(legs: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        list(attempts(CALL, legs))


@pytest.mark.parametrize("ring", ["", "x", "1.5"])
def test_what_is_no_ring_is_refused(ring: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        returned(CALL, ring, "", AT)


@given(st.text("&:019x.+- Ring", max_size=40), st.booleans())
def test_whatever_comes_is_read_or_refused(legs: str, given_up: bool) -> None:
    with suppress(ValueError):
        for one in attempts(CALL, legs, given_up=given_up):
            assert one.outcome not in (Outcome.TAKEN, Outcome.DONE)
