"""Restarts of Asterisk: each instant belongs to the life of one of them, also after the clock was set."""

from datetime import timedelta

import pytest

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


def channels(*begun: tuple[int, float]) -> Restarts:
    """Asterisk has last restarted at 20; before that, channels of these numbers began at these seconds."""
    restarts = Restarts()
    restarts.add(at(20), at(4))
    for number, seconds in begun:
        restarts.began(f"dev-1.{number}", at(seconds))
        restarts.heard(at(seconds))
    return restarts


def test_channels_that_are_counted_anew_show_a_restart_that_nobody_has_noticed() -> None:
    restarts = channels((7, 2), (8, 5), (0, 9), (1, 12))
    assert restarts.all == (Restart(at(9), at(5)), Restart(at(20), at(12)))


def test_a_channel_that_the_journal_has_counts_too() -> None:
    restarts = Restarts()
    restarts.has_channel("dev-1.8", at(3))
    restarts.add(at(20), at(4))
    restarts.began("dev-1.0", at(9))
    assert restarts.all == (Restart(at(9), at(4)), Restart(at(20), at(4)))


def test_they_do_after_the_clock_was_set_back() -> None:
    restarts = channels((7, 2), (8, 5))
    restarts.clock_stepped(-HOUR)
    restarts.began("dev-1.0", at(9) - HOUR)
    assert [it.since for it in restarts.all] == [at(9) - HOUR, at(20) - HOUR]


@pytest.mark.parametrize(
    "begun",
    [
        pytest.param([(7, 2), (8, 5), (9, 9)], id="in their order"),
        pytest.param([(8, 5), (7, 5.01), (9, 9)], id="two threads write their lines"),
        pytest.param([(7, 2), (8, 5), (7, 2), (8, 5)], id="lines are read twice"),
        pytest.param([(7, 19), (0, 20.5), (1, 22)], id="an engine has noticed it"),
    ],
)
def test_other_channels_show_none(begun: list[tuple[int, float]]) -> None:
    assert [it.since for it in channels(*begun).all] == [at(20)]


def test_a_channel_with_an_id_of_the_engine_has_no_number() -> None:
    restarts = channels((7, 2), (8, 5))
    restarts.began("01a22706-e120-7080-9c82-e20c8965b1ee-tap1", at(9))
    assert [it.since for it in restarts.all] == [at(20)]
