"""The pages of messages: what became of each, at every address; play one, try again, another address."""

from aiohttp import web

from mailer import overview
from portal.guard import field, form
from portal.hearing import give
from portal.pages import page
from portal.place import instant_text, read_place
from portal.routing import addresses_of
from portal.visitor import VISITOR, database
from storage.access import Access
from storage.owned import accesses, messages
from storage.owned.messages import Cursor, MessageView

PAGE = 50
ACCESSES = 100


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


async def show_message(request: web.Request) -> web.StreamResponse:
    return await shown(request, await its_message(request))


async def shown(request: web.Request, message: MessageView, status: int = 200) -> web.StreamResponse:
    """One message. Not 200: it could not be sent again now."""
    visitor = request[VISITOR]
    async with database(request) as con:
        lines, _ = await accesses.page(con, visitor.name, None, ACCESSES, audio_id=message.message_id)
    known = {recipient.address for recipient in message.recipients}
    return page(
        request,
        "message.html",
        status=status,
        message=message,
        others=[address for address in addresses_of(visitor.owner) if address not in known],
        accesses=lines,
        refused=status != 200,
    )


async def play(request: web.Request) -> web.StreamResponse:
    """The message as it is stored, whole or the part that the player asks for."""
    message = await its_message(request)
    return await give(request, message, message.format, Access.LISTEN)


async def send(request: web.Request) -> web.StreamResponse:
    """Another try; with an address, another address: one of the owner's own, which has been confirmed."""
    message, visitor = await its_message(request), request[VISITOR]
    to = field(await form(request), "to") or None
    if to is not None and to not in addresses_of(visitor.owner):
        raise web.HTTPBadRequest(text="this is not an address of yours\n")
    async with database(request) as con:
        try:
            await overview.retry(con, message.message_id, visitor.actor, to=to)
        except overview.NotNow:
            return await shown(request, await its_message(request), 409)
    raise web.HTTPSeeOther(f"/messages/{message.message_id}")


async def its_message(request: web.Request) -> MessageView:
    """The message that the address names. Raises HTTPNotFound unless it is this owner's."""
    async with database(request) as con:
        found = await messages.get(con, request[VISITOR].name, request.match_info["message"])
    if found is None:
        raise web.HTTPNotFound(text="there is no such message\n")
    return found


ID = "{message:[0-9a-f-]{36}-[a-z0-9]{1,12}}"
ROUTES = (
    web.get("/messages", show_messages, name="messages"),
    web.get(f"/messages/{ID}", show_message, name="message"),
    web.get(f"/messages/{ID}/sound", play, name="play_message"),
    web.post(f"/messages/{ID}/send", send, name="send_message"),
)
