"""A cause becomes a word for the route, and the word a cause for the caller."""

import pytest

from dialplan.result import Outcome, Result
from engine.causes import HANG_UPS, Cause, HangUp, leg_outcome


@pytest.mark.parametrize(
    ("cause", "meaning"),
    [
        (17, Outcome.BUSY),  # 486, 600
        (21, Outcome.REJECTED),  # 403, 603
        (1, Outcome.UNREACHABLE),  # 404, 604
        (22, Outcome.UNREACHABLE),  # 410
        (28, Outcome.UNREACHABLE),  # 484
        (34, Outcome.CONGESTED),  # 503
        (38, Outcome.UNREACHABLE),  # 500
        (102, Outcome.UNREACHABLE),  # 504
        (27, Outcome.UNREACHABLE),  # 502
        (58, Outcome.FAILED),  # 488
        (23, Outcome.FAILED),  # 302
        (127, Outcome.FAILED),
        (0, Outcome.FAILED),
        (9999, Outcome.FAILED),
    ],
)
@pytest.mark.parametrize("rang", [True, False])
def test_what_the_far_end_says_is_what_came_of_the_leg(cause: int, meaning: Outcome, rang: bool) -> None:
    assert leg_outcome(cause, rang=rang) is meaning


@pytest.mark.parametrize("cause", [18, 19])
def test_a_phone_that_rang_did_not_answer_and_one_that_never_rang_is_unreachable(cause: int) -> None:
    assert leg_outcome(cause, rang=True) is Outcome.NO_ANSWER
    assert leg_outcome(cause, rang=False) is Outcome.UNREACHABLE


@pytest.mark.parametrize("cause", Cause)
def test_a_leg_that_was_answered_took_the_call_however_it_ends(cause: int) -> None:
    assert leg_outcome(cause, rang=True, answered=True) is Outcome.TAKEN


@pytest.mark.parametrize("cause", Cause)
@pytest.mark.parametrize("rang", [True, False])
def test_a_leg_that_nobody_answered_never_took_the_call(cause: Cause, rang: bool) -> None:
    assert leg_outcome(cause, rang=rang) not in (Outcome.TAKEN, Outcome.DONE)


@pytest.mark.parametrize("result", Result)
def test_every_result_has_its_hang_up(result: Result) -> None:
    assert isinstance(HANG_UPS[result], HangUp)
