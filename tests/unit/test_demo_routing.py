"""The demo's routing folder can go live, and is closed where it must be, on every day."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from config.load import load
from config.policy import Policy
from devkit.demo_routing import CLOSED, TELEPHONES, write_routing
from dialplan.caller import UNKNOWN
from dialplan.step import StepModel
from dialplan.steps import visit

MONDAY = date(2026, 11, 23)


@pytest.mark.parametrize("days", range(7))
def test_the_closed_number_is_closed_today_and_tomorrow_whatever_today_is(tmp_path: Path, days: int) -> None:
    today = MONDAY + timedelta(days)
    write_routing(tmp_path / "routing", today)
    number = load(tmp_path / "routing", Policy()).numbers[CLOSED.removeprefix("+")]
    for hour in range(-12, 48):
        now = datetime(today.year, today.month, today.day, tzinfo=UTC) + timedelta(hours=hour)
        steps = [step for step in number.plan(number.facts(now, UNKNOWN)) if isinstance(step, StepModel)]
        assert [step.step for step in steps] == ["announce", "hangup"]


def test_every_destination_of_the_demo_is_a_telephone_of_the_demo(tmp_path: Path) -> None:
    write_routing(tmp_path / "routing", MONDAY)
    numbers = load(tmp_path / "routing", Policy()).numbers.values()
    steps = [step for number in numbers for _, step in visit(number.route)]
    assert {str(to) for step in steps for to in step.destinations} == set(TELEPHONES)
