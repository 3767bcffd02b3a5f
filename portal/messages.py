"""The pages of messages: what became of each, at every address; play one, try again, another address."""

from aiohttp import web

from mailer import overview
from portal.audio_pages import ID, AudioPages
from portal.guard import field, form
from portal.pages import page
from portal.routing import addresses_of
from portal.visitor import VISITOR, database
from storage.owned import messages
from storage.owned.messages import MessageView

PAGES = AudioPages("message", messages.page, messages.get)


async def show_message(request: web.Request) -> web.StreamResponse:
    return await shown(request, await PAGES.its(request))


async def shown(request: web.Request, message: MessageView, status: int = 200) -> web.StreamResponse:
    """One message. Not 200: it could not be sent again now."""
    known = {recipient.address for recipient in message.recipients}
    return page(
        request,
        "message.html",
        status=status,
        message=message,
        others=[address for address in addresses_of(request[VISITOR].owner) if address not in known],
        accesses=await PAGES.accesses_of(request, message),
        refused=status != 200,
    )


async def send(request: web.Request) -> web.StreamResponse:
    """Another try; with an address, another address: one of the owner's own, which has been confirmed."""
    message, visitor = await PAGES.its(request), request[VISITOR]
    to = field(await form(request), "to") or None
    if to is not None and to not in addresses_of(visitor.owner):
        raise web.HTTPBadRequest(text="this is not an address of yours\n")
    try:
        async with database(request) as con:
            await overview.retry(con, message.message_id, visitor.actor, to=to)
    except overview.NotNow:
        return await shown(request, await PAGES.its(request), 409)
    raise web.HTTPSeeOther(f"/messages/{message.message_id}")


ONE = f"/messages/{{message:{ID}}}"
ROUTES = (
    web.get("/messages", PAGES.show_list, name="messages"),
    web.get(ONE, show_message, name="message"),
    web.get(f"{ONE}/sound", PAGES.play, name="play_message"),
    web.post(f"{ONE}/send", send, name="send_message"),
)
