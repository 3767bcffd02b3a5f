"""The page of messages: what became of each, at every address."""

from aiohttp import web

from portal.pages import page
from portal.place import instant_text, read_place
from portal.visitor import VISITOR, database
from storage.owned import messages
from storage.owned.messages import Cursor

PAGE = 50


async def show_messages(request: web.Request) -> web.StreamResponse:
    place = read_place(request.query.get("after", ""))
    after = Cursor(*place) if place else None
    async with database(request) as con:
        found, following = await messages.page(con, request[VISITOR].name, after, PAGE)
    return page(
        request,
        "messages.html",
        messages=found,
        first=after is None,
        following=instant_text(following.began, following.message_id) if following else "",
    )


ROUTES = (web.get("/messages", show_messages, name="messages"),)
