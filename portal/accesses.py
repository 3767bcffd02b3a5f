"""The access log: who saw or heard what of this owner, and when."""

from aiohttp import web

from portal.pages import page
from portal.place import read_number
from portal.visitor import VISITOR, database
from storage.owned import accesses

PAGE = 100


async def show_accesses(request: web.Request) -> web.StreamResponse:
    after = read_number(request.query.get("after", ""))
    async with database(request) as con:
        found, following = await accesses.page(con, request[VISITOR].name, after, PAGE)
    return page(request, "accesses.html", accesses=found, following=following or "", first=after is None)


ROUTES = (web.get("/accesses", show_accesses, name="accesses"),)
