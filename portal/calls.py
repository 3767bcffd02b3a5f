"""The page of calls: filtered, newest first, page by page."""

from dataclasses import dataclass
from uuid import UUID

from aiohttp import web

from portal import call_filter
from portal.call_filter import Asked, WrongFilter
from portal.guard import form
from portal.pages import page
from portal.place import instant_text, read_place
from portal.services import SERVICES
from portal.visitor import VISITOR, database
from portal.wording import GROUPS
from storage.key_wrapper import SealBroken
from storage.owned import calls
from storage.owned.calls import CallFilter

PAGE = 50


@dataclass(frozen=True, slots=True)
class Wanted:
    """The filter of a request: as filled in, sealed for an address, and for the database."""

    asked: Asked
    sealed: str
    filter: CallFilter


async def show_calls(request: web.Request) -> web.StreamResponse:
    wanted = wanted_calls(request)
    after = cursor_of(request)
    async with database(request) as con:
        found, following = await calls.page(con, request[VISITOR].name, wanted.filter, after, PAGE)
    return page(
        request,
        "calls.html",
        calls=found,
        asked=wanted.asked,
        sealed=wanted.sealed,
        following=instant_text(following.began, following.call_id) if following else "",
        first=after is None,
        numbers=request.app[SERVICES].routing.numbers_of(request[VISITOR].name),
        groups=list(GROUPS),
        wrong="",
    )


async def filter_calls(request: web.Request) -> web.StreamResponse:
    """Take the form of the filter, and lead to the page that shows it."""
    services, visitor = request.app[SERVICES], request[VISITOR]
    asked = call_filter.read_form(await form(request))
    try:
        call_filter.as_filter(asked, visitor.zone, services.routing.numbers_of(visitor.name))
    except WrongFilter as wrong:
        return page(
            request,
            "calls.html",
            status=422,
            calls=[],
            asked=asked,
            sealed="",
            following="",
            first=True,
            numbers=services.routing.numbers_of(visitor.name),
            groups=list(GROUPS),
            wrong=str(wrong),
        )
    if asked.is_empty:
        raise web.HTTPSeeOther("/calls")
    sealed = services.secrets.seal(visitor.name, call_filter.as_json(asked))
    raise web.HTTPSeeOther(f"/calls?filter={sealed}")


def wanted_calls(request: web.Request) -> Wanted:
    """The filter in the address. Raises HTTPNotFound if it is not one of ours, for this owner."""
    services, visitor = request.app[SERVICES], request[VISITOR]
    sealed = request.query.get("filter", "")[:2000]
    try:
        asked = call_filter.from_json(services.secrets.open(visitor.name, sealed)) if sealed else Asked()
        numbers = services.routing.numbers_of(visitor.name)
        return Wanted(asked, sealed, call_filter.as_filter(asked, visitor.zone, numbers))
    except (SealBroken, WrongFilter):
        raise web.HTTPNotFound(text="there is no such list of calls\n") from None


def cursor_of(request: web.Request) -> calls.Cursor | None:
    """Where the page begins. Raises HTTPNotFound."""
    place = read_place(request.query.get("after", ""))
    try:
        return calls.Cursor(place[0], UUID(place[1])) if place else None
    except ValueError:
        raise web.HTTPNotFound(text="there is no such page\n") from None


ROUTES = (
    web.get("/calls", show_calls, name="calls"),
    web.post("/calls", filter_calls, name="filter"),
)
