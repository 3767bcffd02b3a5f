"""`hours: on`: half days, days on which a number is closed, and holidays on which it is open."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from dialplan.calendar import read_calendar
from dialplan.opening import Moment, read_opening
from dialplan.own_days import read_own_days
from tests.unit.routes import Raw
from tests.unit.test_walk import told

BRUSSELS = ZoneInfo("Europe/Brussels")
WEEK = ["mon-fri 09:00-17:00", "fri,thu 22:00-02:00"]
OWN = {
    "2026-12-24": "09:00-12:30",  # a Thursday
    "12-25": "10:00-11:00 14:00-15:00",  # a holiday
    "2027-12-25": "closed",
    "12-31": "closed",
    "2026-07-21": "20:00-01:00",  # a holiday
}


def at(local: str) -> Moment:
    now = datetime.fromisoformat(local).replace(tzinfo=BRUSSELS).astimezone(UTC)
    return read_opening(WEEK).at(now, BRUSSELS, read_calendar("BE"), read_own_days(OWN))


@pytest.mark.parametrize(
    ("local", "is_open", "why"),
    [
        ("2026-12-24 12:00", True, "open: thu 12:00 is in 2026-12-24 09:00-12:30"),
        (
            "2026-12-24 12:30",
            False,
            "closed: thu 12:30, on a day with hours of its own; opens fri 2026-12-25 10:00",
        ),
        (
            "2026-12-24 23:00",
            False,
            "closed: thu 23:00, on a day with hours of its own; opens fri 2026-12-25 10:00",
        ),
        ("2026-12-25 10:30", True, "open: fri 10:30 is in 12-25 10:00-11:00"),
        (
            "2026-12-25 12:00",
            False,
            "closed: fri 12:00, on a day with hours of its own; opens fri 2026-12-25 14:00",
        ),
        ("2025-12-25 14:30", True, "open: thu 14:30 is in 12-25 14:00-15:00"),
        (
            "2027-12-25 10:30",
            False,
            "closed: sat 10:30, on a day with hours of its own; opens mon 2027-12-27 09:00",
        ),
        (
            "2026-12-31 10:00",
            False,
            "closed: thu 10:00, on a day with hours of its own; opens mon 2027-01-04 09:00",
        ),
        ("2026-07-22 00:30", True, "open: wed 00:30 is in 2026-07-21 20:00-01:00"),
        (
            "2026-07-21 10:00",
            False,
            "closed: tue 10:00, on a day with hours of its own; opens tue 2026-07-21 20:00",
        ),
        ("2026-12-23 10:00", True, "open: wed 10:00 is in mon-fri 09:00-17:00"),
    ],
)
def test_on_a_day_with_hours_of_its_own_neither_week_nor_holidays_count(
    local: str, is_open: bool, why: str
) -> None:
    moment = at(local)
    assert (moment.open, moment.why, moment.holiday) == (is_open, why, None)


def test_a_night_that_began_before_such_a_day_is_not_cut_short() -> None:
    assert at("2027-01-01 01:00").open is False  # it would have begun on 31 December
    assert at("2026-12-18 01:00").open
    night = read_opening("wed 22:00-02:00")
    own = read_own_days({"2026-12-24": "closed"})
    now = datetime(2026, 12, 24, 0, 30, tzinfo=UTC)
    assert night.at(now, BRUSSELS, read_calendar("BE"), own).open


def test_the_route_takes_closed_and_not_holiday_on_such_a_day() -> None:
    hours: Raw = {
        "open": "mon-fri 09:00-17:00",
        "on": {"12-25": "09:00-12:00"},
        "closed": [{"announce": "closed"}],
        "holiday": [{"announce": "holiday"}],
    }
    route: list[Raw] = [{"hours": hours}, {"announce": "open"}]
    for hour, prompt in ((9, "open"), (12, "closed")):
        path, _ = told(route, datetime(2026, 12, 25, hour, tzinfo=UTC), [])
        assert path[-1] == f"announce {prompt}"


def test_the_29th_of_february_is_a_day_of_every_leap_year() -> None:
    own = read_own_days({"02-29": "closed"})
    leap_day = datetime(2028, 2, 29, 10, tzinfo=UTC)
    assert not read_opening("daily 00:00-24:00").at(leap_day, BRUSSELS, read_calendar("BE"), own).open
