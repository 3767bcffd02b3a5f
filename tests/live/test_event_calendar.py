"""A number is closed while an event of an owner's calendar lasts."""

from datetime import UTC, datetime, timedelta

from devkit.carrier import Answers
from tests.live.agreed import PROMPTS, Route
from tests.live.conversation import hear_each_other
from tests.live.service import Service

EVENT = """\
BEGIN:VCALENDAR
VERSION:2.0
BEGIN:VEVENT
DTSTART:{}
DTEND:{}
SUMMARY:{}
END:VEVENT
END:VCALENDAR
"""


def event(begins: datetime, name: str) -> str:
    return EVENT.format(f"{begins:%Y%m%dT%H%M%SZ}", f"{begins + timedelta(hours=3):%Y%m%dT%H%M%SZ}", name)


def route(calendar: str, to: str) -> Route:
    hours = {"open": "daily 00:00-24:00", "calendar": calendar, "closed": [{"announce": "long"}]}
    return [{"hours": hours}, {"ring": to}]


async def test_during_an_event_the_caller_hears_that_it_is_closed(service: Service) -> None:
    calendars, now = service.house.routing / "calendars", datetime.now(UTC)
    calendars.mkdir(exist_ok=True)
    (calendars / "lasts.ics").write_text(event(now - timedelta(hours=1), "Company outing"))
    (calendars / "comes.ics").write_text(event(now + timedelta(hours=1), "Training"))
    to = service.destination(Answers())
    closed, opened = service.house.agree(route("lasts", to), route("comes", to))
    caller = await service.call(closed)
    await caller.hears(PROMPTS["long"])
    await caller.wait_ended()
    assert (await service.record(closed)).outcome == "closed"
    reasons = [entry["why"] for entry in service.journal(closed) if entry["kind"] == "turn"]
    assert reasons == ["closed: Company outing, in the calendar lasts"]
    caller = await service.call(opened)
    await hear_each_other(caller, await service.network.picked_up(to))
    await caller.hang_up()
    assert (await service.record(opened)).outcome == "answered"
