"""Opening hours: how they are written, and what is open when, the two nights of the clocks included."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialplan.calendar import Calendar, read_calendar
from dialplan.opening import Moment, OpeningHours, read_opening
from tests.tiers import first_light, mostly_heavy

BRUSSELS = ZoneInfo("Europe/Brussels")
NO_HOLIDAYS = Calendar()
MINUTE = timedelta(minutes=1)


def at(opening: OpeningHours, local: str, calendar: Calendar = NO_HOLIDAYS) -> Moment:
    """What holds at this local time in Brussels."""
    return opening.at(datetime.fromisoformat(local).replace(tzinfo=BRUSSELS), BRUSSELS, calendar)


@pytest.mark.parametrize(
    ("local", "is_open", "why"),
    [
        ("2026-11-23 09:00", True, "open: mon 09:00 is in mon-fri 09:00-12:30"),
        ("2026-11-23 12:29", True, "open: mon 12:29 is in mon-fri 09:00-12:30"),
        ("2026-11-23 12:30", False, "closed: mon 12:30; opens mon 2026-11-23 13:30"),
        ("2026-11-23 13:30", True, "open: mon 13:30 is in mon-fri 13:30-17:30"),
        ("2026-11-27 18:00", False, "closed: fri 18:00; opens sat 2026-11-28 10:00"),
        ("2026-11-28 12:59", True, "open: sat 12:59 is in sat 10:00-13:00"),
        ("2026-11-29 12:00", False, "closed: sun 12:00; opens mon 2026-11-30 09:00"),
        ("2026-12-25 10:00", False, "holiday: Kerstmis; opens sat 2026-12-26 10:00"),
    ],
)
def test_hours_say_what_is_open_and_why(local: str, is_open: bool, why: str) -> None:
    opening = read_opening(["mon-fri 09:00-12:30 13:30-17:30", "sat 10:00-13:00"])
    moment = at(opening, local, read_calendar("BE"))
    assert (moment.open, moment.why) == (is_open, why)


@pytest.mark.parametrize(
    ("line", "open_at", "closed_at"),
    [
        ("fri 22:00-02:00", "2026-11-28 01:59", "2026-11-28 02:00"),
        ("daily 00:00-24:00", "2026-11-28 23:59", None),
        ("mon,wed 9:00-17:00", "2026-11-25 09:00", "2026-11-24 09:00"),
        ("fri-mon 09:00-17:00", "2026-11-29 09:00", "2026-11-24 09:00"),
        ("sun 18:00-06:00", "2026-11-30 05:59", "2026-11-30 06:00"),
        ("tue 20:00-24:00", "2026-11-24 23:59", "2026-11-25 00:00"),
    ],
)
def test_days_and_times_may_be_written_so(line: str, open_at: str, closed_at: str | None) -> None:
    opening = read_opening(line)
    assert at(opening, open_at).open
    assert closed_at is None or not at(opening, closed_at).open


def test_a_holiday_cancels_the_night_that_begins_on_it() -> None:
    night = at(read_opening("fri 22:00-02:00"), "2026-12-26 01:00", read_calendar("BE"))
    assert (night.open, night.holiday) == (False, "Kerstmis")


def test_a_night_that_began_before_survives_the_holiday() -> None:
    assert at(read_opening("thu 22:00-02:00"), "2026-12-25 01:00", read_calendar("BE")).open


def test_a_day_of_its_own_is_a_holiday_and_one_not_kept_is_none() -> None:
    calendar = read_calendar(["NL", "2026-12-24", "not 2026-04-03"])
    opening = read_opening("daily 09:00-17:00")
    assert at(opening, "2026-12-24 10:00", calendar).holiday == "a day of its own"
    assert at(opening, "2026-04-03 10:00", calendar).open
    assert not at(opening, "2026-04-27 10:00", calendar).open  # King's Day


@pytest.mark.parametrize(
    ("region", "day", "is_holiday"),
    [
        ("BE", "2026-07-21", True),
        ("NL", "2025-05-05", True),  # Liberation Day: free every five years
        ("NL", "2026-05-05", False),
        ("DE-BY", "2026-01-06", True),
        ("DE-HH", "2026-01-06", False),
        ("ES-MD", "2026-05-02", True),
        ("FR-57", "2026-12-26", True),
        ("FR", "2026-12-26", False),
    ],
)
def test_holidays_are_those_of_country_and_region(region: str, day: str, is_holiday: bool) -> None:
    assert (read_calendar(region).name(date.fromisoformat(day)) is not None) == is_holiday


def test_hours_that_never_open_again_say_so() -> None:
    closed_for_ever = Calendar(kept=frozenset(date(2026, 11, 23) + timedelta(days=n) for n in range(100)))
    moment = at(read_opening("daily 09:00-17:00"), "2026-11-23 10:00", closed_for_ever)
    assert moment.why == "holiday: a day of its own; opens on none of the next 60 days"


@pytest.mark.parametrize(
    ("written", "what"),
    [
        ("mon-fri", "has no times"),
        ("mon 09:00", "is not a time"),
        ("mon 09:00-09:00", "begins when it ends"),
        ("mon 24:00-25:00", "is not a time"),
        ("monday 09:00-17:00", "is not a day"),
        ("mon-fri-sun 09:00-17:00", "is not a day"),
        ("", "has no times"),
        ([], "write days and times"),
        ({"mon": "09:00-17:00"}, "write days and times"),
        (["mon-fri 09:00-17:00", "fri 16:00-18:00"], "overlaps"),
        (["sun 22:00-04:00", "mon 03:00-05:00"], "overlaps"),
    ],
)
def test_hours_that_mean_nothing_are_refused(written: object, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        read_opening(written)


# The oracle: no arithmetic on clocks, only looking at one, minute by minute.

ZONES = ["Europe/Brussels", "Europe/Lisbon", "America/New_York", "Australia/Lord_Howe", "Atlantic/Azores"]
YEARS = range(2020, 2030)
HOURS = [
    "daily 00:00-24:00",
    "daily 00:30-01:15",
    "daily 01:00-02:00 02:15-02:45",
    "sat,sun 01:45-03:30",
    "daily 22:00-02:30",
    "daily 23:30-00:30 02:00-03:00",
    "daily 20:00-24:00",
]


def clock_changes(zone: ZoneInfo, year: int) -> list[date]:
    """The dates in that year whose noon is not 24 hours after the noon before."""
    noons = [datetime(year, 1, 1, 12, tzinfo=zone) + timedelta(days=n) for n in range(365)]
    return [noon.date() for before, noon in pairwise(noons) if before.utcoffset() != noon.utcoffset()]


@cache
def clock(zone: ZoneInfo, night: date) -> dict[datetime, datetime]:
    """Three days before to three days after, each minute (UTC) with what the clock on the wall shows."""
    begin = datetime(night.year, night.month, night.day, tzinfo=UTC) - timedelta(days=3)
    minutes = [begin + n * MINUTE for n in range(7 * 24 * 60)]
    return {minute: minute.astimezone(zone).replace(tzinfo=None) for minute in minutes}


def oracle(walls: dict[datetime, datetime], day: date, begin: str, end: str) -> Iterator[datetime]:
    """The open minutes: from the first that shows the begin, or is past it, to the last showing the end."""
    minutes = list(walls)
    begins, ends = shown(day, begin), shown(day + timedelta(days=end <= begin), end)
    first = next(n for n, minute in enumerate(minutes) if walls[minute] >= begins)
    showing = [n for n, minute in enumerate(minutes) if walls[minute] == ends]
    last = showing[-1] if showing else next(n for n, minute in enumerate(minutes) if walls[minute] > ends)
    yield from minutes[first:last]


def shown(day: date, clock: str) -> datetime:
    hour, minute = map(int, clock.split(":"))
    midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - a clock on the wall knows no zone
    return midnight + timedelta(hours=hour, minutes=minute)


@pytest.mark.parametrize("name", ZONES)
@pytest.mark.parametrize("line", mostly_heavy(HOURS, 3))
@pytest.mark.parametrize("year", first_light(*sorted(YEARS, key=lambda year: year != 2026)))
def test_hours_agree_with_a_clock_on_the_wall_in_the_nights_of_the_clocks(
    name: str, line: str, year: int
) -> None:
    zone = ZoneInfo(name)
    opening = read_opening(line)
    for night in clock_changes(zone, year):
        walls = clock(zone, night)
        expected = open_minutes(line, walls, night)
        asked = [minute for minute, wall in walls.items() if abs((wall.date() - night).days) <= 1]
        opened = {minute for minute in asked if opening.at(minute, zone, NO_HOLIDAYS).open}
        assert opened == expected & set(asked)


@settings(deadline=None, max_examples=25)
@given(
    st.sampled_from(ZONES), st.dates(date(YEARS[0], 1, 1), date(YEARS[-1], 12, 31)), st.sampled_from(HOURS)
)
def test_hours_agree_with_a_clock_on_the_wall_on_any_day_of_ten_years(
    name: str, day: date, line: str
) -> None:
    zone = ZoneInfo(name)
    walls = clock(zone, day)
    asked = [minute for minute, wall in walls.items() if wall.date() == day]
    opened = {minute for minute in asked if read_opening(line).at(minute, zone, NO_HOLIDAYS).open}
    assert opened == open_minutes(line, walls, day) & set(asked)


def open_minutes(line: str, walls: dict[datetime, datetime], night: date) -> set[datetime]:
    """The open minutes around this night, by the oracle."""
    days, *times = line.split()
    begun = [day for n in range(-2, 2) if open_on(days, day := night + timedelta(days=n))]
    return {minute for day in begun for text in times for minute in oracle(walls, day, *text.split("-"))}


def open_on(days: str, day: date) -> bool:
    return days == "daily" or (days == "sat,sun" and day.weekday() >= 5)


@given(st.datetimes(datetime(2025, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - hypothesis adds the zone
def test_between_the_clock_nights_hours_are_what_the_clock_shows(now: datetime) -> None:
    local = now.astimezone(BRUSSELS)
    expected = local.weekday() < 5 and "09:00" <= f"{local:%H:%M}" < "17:30"
    assert read_opening("mon-fri 09:00-17:30").at(now, BRUSSELS, NO_HOLIDAYS).open == expected
