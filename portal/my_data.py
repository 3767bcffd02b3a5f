"""What is stored of the owner itself, as the provider wrote it."""

from aiohttp import web

from portal.pages import page
from portal.visitor import VISITOR


async def show_data(request: web.Request) -> web.StreamResponse:
    return page(request, "data.html", owner=request[VISITOR].owner)


ROUTES = (web.get("/data", show_data, name="data"),)
