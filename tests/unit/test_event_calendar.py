"""`hours: calendar`: an iCalendar file of an owner, whose events close a number."""

from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from config.calendars import MAX_CALENDAR_BYTES, MOST_EVENTS, read_calendar
from config.errors import Place
from config.load import load
from config.policy import Policy
from dialplan.caller import UNKNOWN
from dialplan.event_calendar import EventCalendar
from dialplan.lists import calendar_key
from dialplan.rehearse import rehearse
from dialplan.step import Turn
from tests.unit.folders import good_folder
from tests.unit.routes import Raw, service_number

BRUSSELS, NEW_YORK = ZoneInfo("Europe/Brussels"), ZoneInfo("America/New_York")
TODAY = date(2026, 11, 28)
EVENTS = """
BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Acme//EN
BEGIN:VTIMEZONE
TZID:Europe/Brussels
BEGIN:STANDARD
DTSTART:19701025T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:19700329T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
END:DAYLIGHT
END:VTIMEZONE
BEGIN:VEVENT
UID:summer
DTSTART;VALUE=DATE:20260713
DTEND;VALUE=DATE:20260801
SUMMARY:Summer closing
END:VEVENT
BEGIN:VEVENT
UID:meeting
DTSTART;TZID=Europe/Brussels:20260105T140000
DTEND;TZID=Europe/Brussels:20260105T153000
RRULE:FREQ=WEEKLY;BYDAY=MO
EXDATE;TZID=Europe/Brussels:20261130T140000
SUMMARY:Team
  meeting\\, all
END:VEVENT
BEGIN:VEVENT
UID:meeting
RECURRENCE-ID;TZID=Europe/Brussels:20261207T140000
DTSTART;TZID=Europe/Brussels:20261208T090000
DTEND;TZID=Europe/Brussels:20261208T100000
SUMMARY:Moved meeting
END:VEVENT
BEGIN:VEVENT
UID:utc
DTSTART:20261224T230000Z
DURATION:PT2H
END:VEVENT
BEGIN:VEVENT
UID:off
DTSTART;VALUE=DATE:20261201
STATUS:CANCELLED
SUMMARY:Strike
END:VEVENT
BEGIN:VEVENT
UID:floating
DTSTART:20261202T120000
DTEND:20261202T130000
SUMMARY:Lunch
END:VEVENT
END:VCALENDAR
""".lstrip().replace("\n", "\r\n")


def read(text: str = EVENTS) -> EventCalendar:
    calendar, errors = read_calendar(text.encode(), TODAY)
    assert errors == []
    assert calendar is not None
    return calendar


@pytest.mark.parametrize(
    ("local", "event"),
    [
        ("2026-07-12 23:59", None),
        ("2026-07-13 00:00", "Summer closing"),
        ("2026-07-31 23:59", "Summer closing"),
        ("2026-08-01 00:00", None),
        ("2026-11-23 14:00", "Team meeting, all"),
        ("2026-11-23 15:30", None),
        ("2026-11-30 14:30", None),
        ("2026-12-07 14:30", None),
        ("2026-12-08 09:30", "Moved meeting"),
        ("2026-12-25 00:30", "an event"),
        ("2026-12-25 02:00", None),
        ("2026-12-01 12:00", None),
        ("2026-12-02 12:30", "Lunch"),
        ("2031-07-14 14:30", "Team meeting, all"),
    ],
)
def test_an_event_lasts_from_its_beginning_to_before_its_end(local: str, event: str | None) -> None:
    now = datetime.fromisoformat(local).replace(tzinfo=BRUSSELS)
    assert read().event(now.astimezone(UTC), BRUSSELS) == event


def test_whole_days_are_days_where_the_number_is_and_zoned_events_are_instants() -> None:
    calendar = read()
    first = datetime(2026, 7, 13, 0, 0, tzinfo=NEW_YORK)
    assert calendar.event(first.astimezone(UTC), NEW_YORK) == "Summer closing"
    assert calendar.event(datetime(2026, 7, 12, 23, 0, tzinfo=UTC), NEW_YORK) is None
    assert calendar.event(datetime(2026, 11, 23, 13, 0, tzinfo=UTC), NEW_YORK) == "Team meeting, all"


def one_event(*lines: str) -> str:
    whole = ["BEGIN:VCALENDAR", "VERSION:2.0", "BEGIN:VEVENT", *lines, "END:VEVENT", "END:VCALENDAR"]
    return "\r\n".join(whole)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("SUMMARY:not one", 0, "is not an iCalendar file"),
        (one_event("SUMMARY:never"), 3, "has no DTSTART"),
        (one_event("DTSTART:20260101T090000Z", "RRULE:FREQ=SECONDLY"), 3, "is repeated secondly"),
        (one_event("DTSTART:20261332T090000Z"), 3, "cannot be read"),
        (one_event("DTSTART:soon"), 3, "cannot be read"),
        (one_event("DTSTART:20260101T090000Z", "RRULE:FREQ=DAILY;INTERVAL=x"), 3, "cannot be read"),
        (
            one_event("DTSTART:20260101T090000Z").replace("END:VEVENT\r\nEND:VCALENDAR", ""),
            3,
            "the file is cut",
        ),
        (EVENTS.replace("DTSTART:20261224T230000Z", "DTSTART:20261324T230000Z"), 41, "cannot be read"),
        ("BEGIN:VCALENDAR\n" + "A" * MAX_CALENDAR_BYTES, 0, "larger than 500,000 bytes"),
    ],
)
def test_what_is_wrong_has_the_line_of_its_event_and_a_remedy(text: str, line: int, words: str) -> None:
    calendar, [(place, what)] = read_calendar(text.encode(), TODAY)
    assert calendar is None
    assert (place.line if isinstance(place, Place) else 0, words in what) == (line, True), what
    assert ";" in what


def test_too_many_events_are_refused_before_they_cost_anything() -> None:
    event = "BEGIN:VEVENT\nUID:{}\nDTSTART:20260101T090000Z\nRRULE:FREQ=DAILY\nEND:VEVENT\n"
    many = "BEGIN:VCALENDAR\n" + "".join(event.format(n) for n in range(MOST_EVENTS + 1)) + "END:VCALENDAR\n"
    _, [(_, what)] = read_calendar(many.encode(), TODAY)
    assert what == "more than 1,000 events; export a shorter period"


def test_a_calendar_of_other_bytes_is_an_error() -> None:
    assert read_calendar(b"BEGIN:VCALENDAR\n\xff", TODAY)[1][0][1].startswith("is not UTF-8")


HOURS = {"open": "mon-fri 09:00-17:00", "calendar": "closing-days", "closed": [{"announce": "closed"}]}
ROUTE: list[Raw] = [{"hours": HOURS}, {"ring": "+3221112233"}]


@pytest.mark.parametrize(
    ("at", "hears", "why"),
    [
        ("2026-07-14 10:00", ("closed",), "closed: Summer closing, in the calendar closing-days"),
        ("2026-08-03 10:00", (), "open: mon 10:00 is in mon-fri 09:00-17:00"),
        ("2026-07-14 18:00", ("closed",), "closed: tue 18:00; opens wed 2026-07-15 09:00"),
    ],
)
def test_an_event_closes_the_number_and_is_the_reason(at: str, hears: tuple[str, ...], why: str) -> None:
    number = service_number(ROUTE)
    now = datetime.fromisoformat(at).replace(tzinfo=BRUSSELS).astimezone(UTC)
    call = rehearse(number, number.facts(now, UNKNOWN, {calendar_key("closing-days"): read()}))
    turn = call.path[0]
    assert isinstance(turn, Turn)
    assert (call.hears, turn.why) == (hears, why)


def test_a_folder_with_a_calendar_is_read_and_read_again_from_the_cache(tmp_path: Path) -> None:
    folder = good_folder(tmp_path)
    (folder / "calendars").mkdir()
    (folder / "calendars" / "closing-days.ics").write_bytes(EVENTS.encode())
    routing = load(folder, Policy())
    assert isinstance(routing.lists["closing-days.ics"], EventCalendar)
