"""The operations on messages, recordings and switches that change something, by the rules of the pages."""

from datetime import UTC, datetime
from http import HTTPStatus

from mailer import overview
from portal.api import shapes
from portal.api.asked import Asked
from portal.api.bodies import Sending, Switching
from portal.api.problem import Problem, conflict, not_there, wrong
from portal.api.queries import Query
from portal.routing import addresses_of
from portal.services import SERVICES
from portal.switches import may_end, number_with
from storage import recordings as store
from storage.owned import messages, recordings, switches
from storage.owned.switches import Wish


async def send_message(asked: Asked[Query, Sending]) -> shapes.Sent:
    """Another try, or another address: a confirmed one of the owner."""
    message_id, to = asked.path["message_id"], asked.body.to
    owner = asked.request.app[SERVICES].routing.owner(asked.owner)
    async with asked.database() as con:
        if await messages.get(con, asked.owner, message_id) is None:
            raise not_there()
        if to is not None and (owner is None or to not in addresses_of(owner)):
            raise wrong([{"name": "to", "detail": "write a confirmed address of the owner"}])
        try:
            await overview.retry(con, message_id, asked.actor, to=to)
        except overview.NotNow:
            raise conflict(
                "this message cannot be sent again now: it is on its way to this address already, delivered, "
                "destroyed, or was sent five times today"
            ) from None
        found = await messages.get(con, asked.owner, message_id)
    return shapes.Sent(message_id=message_id, state=found.state if found else "destroyed")


async def destroy_recording(asked: Asked[Query]) -> shapes.Destruction:
    """Now: the worker does so within seconds."""
    recording_id = asked.path["recording_id"]
    async with asked.database() as con:
        if await recordings.get(con, asked.owner, recording_id) is None:
            raise not_there()
        try:
            await store.destroy(con, recording_id, "owner", asked.actor)
        except store.Refused:
            raise conflict("this recording cannot be destroyed: it is held, or gone") from None
        found = await recordings.get(con, asked.owner, recording_id)
    if found is None:
        raise not_there()
    return shapes.Destruction(recording_id=recording_id, destroy_after=found.destroy_after)


async def put_switch(asked: Asked[Query, Switching]) -> shapes.Switch:
    """On until a moment, or off; in force within seconds."""
    numbers = asked.request.app[SERVICES].routing.numbers_of(asked.owner)
    name = asked.path["switch"]
    number = number_with(numbers, f"+{asked.path['number']}", name)
    if number is None:
        raise not_there()
    until = asked.body.until.astimezone(UTC) if asked.body.until else None
    if until and not may_end(until, datetime.now(UTC)):
        raise wrong([{"name": "until", "detail": "write a moment in the next 31 days, or null"}])
    async with asked.database() as con:
        if not await switches.put(con, asked.owner, Wish(number.number, name, until), asked.actor):
            often = "too many switches were put today"
            raise Problem(HTTPStatus.TOO_MANY_REQUESTS, often, headers={"Retry-After": "3600"})
    return shapes.Switch(name=name, until=until)
