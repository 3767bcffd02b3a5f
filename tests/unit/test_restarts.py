"""Restarts of Asterisk: each instant belongs to the life of one of them, also after the clock was set."""

from datetime import timedelta

from engine.ari.restarts import Restart, Restarts
from tests.unit.switchboards import at

FIRST, SECOND = Restart(at(10), at(8)), Restart(at(20), at(15))
HOUR = timedelta(hours=1)


def restarted() -> Restarts:
    restarts = Restarts()
    restarts.remember([FIRST, SECOND])
    return restarts


def test_an_instant_is_of_the_asterisk_that_lived_then() -> None:
    assert [restarted().after(at(seconds)) for seconds in (9, 10, 19, 20)] == [FIRST, SECOND, SECOND, None]


def test_a_sign_of_life_counts_for_its_own_asterisk() -> None:
    restarts = restarted()
    for seconds in (7, 9, 12, 21):
        restarts.heard(at(seconds))
    assert restarts.all == (Restart(at(10), at(9)), SECOND)


def test_a_restart_after_the_clock_was_set_back_leaves_no_earlier_one_in_the_future() -> None:
    """Otherwise calls of the present Asterisk were taken for calls of a former one."""
    restarts = restarted()
    restarts.add(at(12), at(11))
    assert restarts.all == (FIRST, Restart(at(12), at(11)))
    assert restarts.after(at(13)) is None


def test_they_move_with_the_clock() -> None:
    restarts = restarted()
    restarts.clock_stepped(-HOUR)
    assert restarts.since == at(20) - HOUR
