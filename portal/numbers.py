"""The page of service numbers: each route in words, and what would happen to a call at a moment."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from aiohttp import web

from dialplan.caller import UNKNOWN
from dialplan.number import ServiceNumber
from dialplan.rehearse import rehearse
from portal.pages import page
from portal.path_words import Branch, Line, lines, route
from portal.services import SERVICES
from portal.visitor import VISITOR, Visitor

MINUTE = "%Y-%m-%dT%H:%M"


@dataclass(frozen=True, slots=True)
class NumberView:
    """A number, its route as a tree, and the path of a call at the moment that was asked for."""

    number: ServiceNumber
    route: tuple[Branch, ...]
    path: Sequence[Line]
    result: str


async def show_numbers(request: web.Request) -> web.StreamResponse:
    """The moment is in the address: it says nothing of anybody."""
    visitor, services = request[VISITOR], request.app[SERVICES]
    at, wrong = moment_of(request.query.get("at", "")[:40], visitor)
    routing = services.routing.routing
    views = [
        view_of(number, at, routing.lists if routing else {}, visitor.language)
        for number in services.routing.numbers_of(visitor.name)
    ]
    return page(request, "numbers.html", views=views, at=at, written=at.strftime(MINUTE), wrong=wrong)


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


def view_of(number: ServiceNumber, at: datetime, lists: object, language: str) -> NumberView:
    facts = number.facts(at.astimezone(UTC), UNKNOWN, lists)  # type: ignore[arg-type]
    call = rehearse(number, facts)
    path = list(lines(call.path, language, facts))
    return NumberView(number, route(number.route, language), path, call.result)


ROUTES = (web.get("/numbers", show_numbers, name="numbers"),)
