"""The page of service numbers: each route in words, its switches, and what would happen at a moment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from aiohttp import web

from config.switches import Switched
from dialplan.caller import UNKNOWN
from dialplan.number import ServiceNumber
from dialplan.rehearse import rehearse
from portal.guard import field, form
from portal.pages import page
from portal.path_words import Branch, Line, lines, route
from portal.services import SERVICES
from portal.switches import may_end, newest, number_with, switches_of
from portal.visitor import VISITOR, Visitor, database
from storage.owned import switches
from storage.owned.switches import Wish

MINUTE = "%Y-%m-%dT%H:%M"
SOON = timedelta(hours=4)  # proposed as the end of a switch


@dataclass(frozen=True, slots=True)
class NumberView:
    """A number, its route as a tree, the path of a call at the moment that was asked for, and its switches:
    each with the line by which it is on then."""

    number: ServiceNumber
    route: tuple[Branch, ...]
    path: Sequence[Line]
    result: str
    switches: Mapping[str, Switched | None]


async def show_numbers(request: web.Request) -> web.StreamResponse:
    return await shown(request)


async def shown(request: web.Request, status: int = 200) -> web.StreamResponse:
    """The moment is in the address: it says nothing of anybody. Not 200: a switch could not be put on."""
    visitor, services = request[VISITOR], request.app[SERVICES]
    at, wrong = moment_of(request.query.get("at", "")[:40], visitor)
    routing = services.routing.routing
    async with database(request) as con:
        own = await switches.latest(con, visitor.name)
    latest = newest(await services.switches.latest(), own)
    views = [
        view_of(
            number, at, routing.lists if routing else {}, visitor.language, switches_of(number, latest, at)
        )
        for number in services.routing.numbers_of(visitor.name)
    ]
    return page(
        request,
        "numbers.html",
        status=status,
        views=views,
        at=at,
        written=at.strftime(MINUTE),
        soon=(datetime.now(visitor.zone) + SOON).strftime(MINUTE),
        wrong=wrong,
        refused=status != 200,
    )


async def switch(request: web.Request) -> web.StreamResponse:
    """Put a switch of one of the owner's numbers on until a moment, or off; in force within seconds."""
    visitor, fields = request[VISITOR], await form(request)
    written, name = field(fields, "number"), field(fields, "name")
    number = number_with(request.app[SERVICES].routing.numbers_of(visitor.name), written, name)
    if number is None:
        raise web.HTTPNotFound(text="there is no such switch\n")
    until = None
    if field(fields, "put") != "off":
        at, wrong = moment_of(field(fields, "until")[:40], visitor)
        if wrong or not may_end(at, datetime.now(UTC)):
            return await shown(request, 422)
        until = at.astimezone(UTC)
    async with database(request) as con:
        if not await switches.put(con, visitor.name, Wish(number.number, name, until), visitor.actor):
            return await shown(request, 429)
    raise web.HTTPSeeOther("/numbers")


def moment_of(text: str, visitor: Visitor) -> tuple[datetime, bool]:
    """The moment in the owner's zone, else now; and whether the text could not be understood."""
    now = datetime.now(visitor.zone)
    if not text:
        return now, False
    try:
        written = datetime.fromisoformat(text)
        if not 2000 <= written.year <= 2100:
            return now, True
    except ValueError:
        return now, True
    return written.replace(tzinfo=visitor.zone), False


def view_of(
    number: ServiceNumber, at: datetime, lists: object, language: str, on: Mapping[str, Switched | None]
) -> NumberView:
    names = [name for name, line in on.items() if line]
    facts = number.facts(at.astimezone(UTC), UNKNOWN, lists, switches=names)  # type: ignore[arg-type]
    call = rehearse(number, facts)
    path = list(lines(call.path, language, facts))
    return NumberView(number, route(number.route, language), path, call.result, on)


ROUTES = (
    web.get("/numbers", show_numbers, name="numbers"),
    web.post("/numbers/switch", switch, name="switch"),
)
