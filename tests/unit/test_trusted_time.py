"""After the clock was set forward nothing is destroyed for an hour: what is destroyed too early is lost."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from worker.trusted_time import TrustedTime

YEAR = 365 * 86400.0
HOUR = 3600.0


@dataclass
class Clocks:
    """Of one machine, in seconds."""

    kept: Path
    wall: float = 1_795_776_979
    steady: float = 1_000

    def later(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds

    def worker(self) -> TrustedTime:
        """One that starts now."""
        return TrustedTime(self.kept, lambda: round(self.wall * 1e9), lambda: round(self.steady * 1e9))


@pytest.fixture
def clocks(tmp_path: Path) -> Clocks:
    return Clocks(tmp_path / "trusted-clock.json")


def test_a_clock_that_nobody_sets_is_trusted(clocks: Clocks) -> None:
    worker = clocks.worker()
    clocks.later(YEAR)
    assert worker.step() == ""


def test_after_a_step_forward_nothing_is_destroyed_for_an_hour(clocks: Clocks) -> None:
    worker = clocks.worker()
    clocks.wall += YEAR
    assert "set forward by 31536000 s: nothing is destroyed for an hour" in worker.step()
    clocks.later(HOUR - 1)
    assert worker.step()
    clocks.later(1)
    assert worker.step() == ""


@pytest.mark.parametrize("seconds", [59, -1, -YEAR])
def test_a_small_step_and_one_back_destroy_nothing_too_early(clocks: Clocks, seconds: float) -> None:
    worker = clocks.worker()
    clocks.wall += seconds
    assert worker.step() == ""


def test_once_it_is_corrected_the_clock_is_trusted_at_once(clocks: Clocks) -> None:
    worker = clocks.worker()
    clocks.wall += YEAR
    assert worker.step()
    clocks.wall -= YEAR
    assert worker.step() == ""
    clocks.wall += YEAR
    assert worker.step()


def test_the_next_worker_does_not_trust_the_step_either(clocks: Clocks) -> None:
    clocks.worker()
    clocks.wall += YEAR
    assert clocks.worker().step()
    assert clocks.worker().step()


def test_what_an_earlier_worker_has_trusted_after_an_hour_stays_trusted(clocks: Clocks) -> None:
    worker = clocks.worker()
    clocks.wall += YEAR
    assert worker.step()
    clocks.later(HOUR)
    assert worker.step() == ""
    assert clocks.worker().step() == ""


def test_after_a_start_of_the_machine_the_clock_is_trusted(clocks: Clocks) -> None:
    worker = clocks.worker()
    clocks.later(YEAR)
    assert worker.step() == ""
    clocks.wall, clocks.steady = clocks.wall + 600, 50
    assert clocks.worker().step() == ""


DAMAGED = ["", "null", "[]", '{"offset": 0}', '{"offset": Infinity, "steady": 0}']


@pytest.mark.parametrize("text", DAMAGED)
def test_with_a_damaged_file_the_clock_is_trusted(clocks: Clocks, text: str) -> None:
    clocks.kept.write_text(text)
    assert clocks.worker().step() == ""


def test_without_a_place_to_keep_it_the_worker_works(clocks: Clocks) -> None:
    clocks.kept = clocks.kept.parent / "missing" / "trusted-clock.json"
    worker = clocks.worker()
    clocks.wall += YEAR
    assert worker.step()
