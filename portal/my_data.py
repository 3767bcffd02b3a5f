"""The owner's own settings: shown, and changed over the operator's file, by the rules of the file."""

from datetime import timedelta
from typing import Any

from aiohttp import web
from multidict import MultiMapping

from dialplan.number import Owner
from dialplan.period import UNITS, read_period, written_period
from portal import addresses, own_settings, passkeys
from portal.guard import field, form
from portal.own_settings import Refused, Wanted, differences, valid
from portal.pages import page
from portal.passkey_ceremony import relying_party
from portal.services import SERVICES
from portal.visitor import VISITOR, database
from storage.owned import passkeys as stored
from storage.owned import settings

CHOSEN = ("name", "language", "audio", "recordings", "missed_calls")
FORMATS = {"audio": ("mp3", "wav", "opus"), "recordings": ("wav", "flac", "mp3", "opus")}


async def show_data(request: web.Request) -> web.StreamResponse:
    return await shown(request, refused=request.query.get("refused", ""))


async def shown(request: web.Request, status: int = 200, **more: Any) -> web.StreamResponse:
    """The page, with the values as they are stored: they are in force some seconds later."""
    name, ground = request[VISITOR].name, ground_of(request)
    async with database(request) as con:
        owner = valid(ground, await settings.changes(con, name))
        pending = await settings.pending(con, name)
        known = await stored.of(con, name) if relying_party(request.app[SERVICES].portal) else None
    then = [(owner.mail_then, "mail_then")] if owner.mail_then else []
    count, unit = written_period(owner.keep_recordings).split()
    values = {
        "owner": owner,
        "file": differences(ground, owner),
        "addresses": [*((one, "mail") for one in owner.mail), *then],
        "pending": pending,
        "passkeys": known,
        "keep": (count, unit.removesuffix("s")),
        "units": tuple(UNITS),
        "formats": FORMATS,
        "refused": "",
        "question": None,
        "values": {},
    }
    return page(request, "data.html", status=status, **values | more)


async def change(request: web.Request) -> web.StreamResponse:
    """Store the form's values that differ; a shorter retention only after a question."""
    visitor, fields, ground = request[VISITOR], await form(request), ground_of(request)
    try:
        keep = keep_of(fields)
    except ValueError:
        return await shown(request, 422, refused="keep_recordings")
    values = {name: field(fields, name)[:300] for name in CHOSEN}
    sure = field(fields, "sure") == written_period(keep)
    async with database(request) as con, settings.alone(con, visitor.name):
        wanted = Wanted(values, keep, sure)
        found = await own_settings.change(con, visitor.name, ground, wanted, visitor.actor)
    if isinstance(found, Refused):
        return await shown(request, 422, refused=found.setting)
    if found is not None:
        values["keep_recordings"] = written_period(keep)
        return await shown(request, question=found, values=values)
    raise web.HTTPSeeOther("/data")


def keep_of(fields: MultiMapping[object]) -> timedelta:
    """The retention that the form has, by number and unit. Raises ValueError."""
    return read_period(f"{field(fields, 'count')[:5]} {field(fields, 'unit')[:5]}")


def ground_of(request: web.Request) -> Owner:
    """The owner as the operator's file has it."""
    ground = request.app[SERVICES].routing.ground(request[VISITOR].name)
    return ground or request[VISITOR].owner


ROUTES = (
    web.get("/data", show_data, name="data"),
    web.post("/data", change, name="change_data"),
    *addresses.ROUTES,
    *passkeys.ROUTES,
)
