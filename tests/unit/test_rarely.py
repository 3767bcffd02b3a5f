"""Warnings that strangers cause: logged now and then, and counted."""

import pytest
from structlog.testing import capture_logs

from process.rarely import Rarely


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_of_a_flood_one_line_a_minute_is_logged_with_the_number_of_the_others(clock: Clock) -> None:
    rarely = Rarely(60, clock)
    with capture_logs() as lines:
        for _ in range(1000):
            rarely.warning("report_refused", "no such address", relay="192.0.2.1")
        clock.now += 61
        rarely.warning("report_refused", "no such address", relay="192.0.2.2")
    assert [line["unlogged"] for line in lines] == [0, 999]
    assert lines[0]["relay"] == "192.0.2.1"


def test_one_reason_does_not_hide_another(clock: Clock) -> None:
    rarely = Rarely(60, clock)
    with capture_logs() as lines:
        for why in ("no such address", "larger than 64 kB", "no such address"):
            rarely.warning("report_refused", why)
    assert [line["why"] for line in lines] == ["no such address", "larger than 64 kB"]
