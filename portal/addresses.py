"""An owner's mail addresses: a new one counts once a mail to it has been answered; the others are told.

The link of that mail needs no login, because the person with the new address may have none. Opening it shows
a button, and only the button uses it up, as with the link of a login.
"""

from typing import Any

import asyncpg
from aiohttp import web

from dialplan.number import Owner, check_mail
from portal.guard import field, form
from portal.link_mail import LinkMail
from portal.login import TLS_SEEN
from portal.own_settings import Refused, store, valid
from portal.pages import page
from portal.routing import addresses_of
from portal.secrets import is_token, new_token
from portal.services import SERVICES
from portal.visitor import VISITOR, Visitor, database
from storage.access import Actor
from storage.owned import passkeys, settings
from storage.owned.settings import Notice, Pending
from storage.owned.tenant import owned

SETTINGS = ("mail", "mail_then")
MOST = 10  # addresses of an owner


async def add(request: web.Request) -> web.StreamResponse:
    """Mail a link to a new address; it counts once the link was used."""
    services, visitor, fields = request.app[SERVICES], request[VISITOR], await form(request)
    address, setting = field(fields, "address"), field(fields, "setting")
    try:
        check_mail(address)
    except ValueError:
        raise web.HTTPSeeOther("/data?refused=mail") from None
    if setting not in SETTINGS or len(addresses_of(visitor.owner)) >= MOST:
        raise web.HTTPSeeOther("/data?refused=mail")
    link, wanted = new_token(), Pending(address, setting, asked_by=visitor.session.address)
    async with database(request) as con:
        stored = await settings.request_address(con, visitor.name, link, wanted)
        tls_seen = await con.fetchval(TLS_SEEN, address.rpartition("@")[2].lower())
    if not stored:
        raise web.HTTPSeeOther("/data?refused=often")
    services.links.send(
        LinkMail(
            to=address,
            url=f"{services.portal.url}/confirm/{visitor.name}/{link}",
            language=visitor.owner.language,
            title=services.portal.title,
            require_tls=visitor.owner.require_tls,
            tls_seen=bool(tls_seen),
            text="confirm_mail",
            owner=visitor.owner.name,
        )
    )
    raise web.HTTPSeeOther("/data")


async def remove(request: web.Request) -> web.StreamResponse:
    """Remove an address, and tell all, also this one. The last of `mail` stays: messages go there.

    One that has not been confirmed was never used: nobody is told.
    """
    visitor, address = request[VISITOR], field(await form(request), "address")
    ground = request.app[SERVICES].routing.ground(visitor.name) or visitor.owner
    async with database(request) as con, settings.alone(con, visitor.name) as changes:
        # Nothing is raised in here: that would undo it.
        done = await settings.withdraw(con, visitor.name, address) or await _removed(
            con, visitor, ground, valid(ground, changes), address
        )
    raise web.HTTPSeeOther("/data" if done else "/data?refused=mail")


async def _removed(
    con: asyncpg.Connection, visitor: Visitor, ground: Owner, owner: Owner, address: str
) -> bool:
    """False if this is no address of the owner, or the last one."""
    mail = [one for one in owner.mail if one != address]
    if address not in addresses_of(owner) or not mail:
        return False
    values = {"mail": mail, "mail_then": owner.mail_then if owner.mail_then != address else None}
    if await store(con, visitor.name, ground, values, visitor.actor):
        return False
    await passkeys.remove_of(con, visitor.name, address)
    await tell(con, visitor.name, owner, "removed", address)
    return True


async def show_link(request: web.Request) -> web.StreamResponse:
    """A button that confirms the address. Opening the page changes nothing."""
    name, link = request.match_info["owner"], request.match_info["link"]
    services = request.app[SERVICES]
    owner = services.routing.owner(name)
    async with owned(services.pool, name) as con:
        found = await settings.find_address(con, name, link) if owner else None
    shown = {"link": link, "name": name, "owner": owner, "address": found.address if found else ""}
    return page(request, "confirm.html", status=200 if found else 410, done=False, **shown)


async def confirm(request: web.Request) -> web.StreamResponse:
    """Use the link up: the address is the owner's from now on."""
    services, fields = request.app[SERVICES], await form(request)
    name, link = field(fields, "owner"), field(fields, "link")
    ground = services.routing.ground(name)
    gone: dict[str, Any] = {"link": "", "name": "", "owner": None, "address": "", "done": False}
    if ground is None or not is_token(link):
        return page(request, "confirm.html", status=410, **gone)
    async with owned(services.pool, name) as con, settings.alone(con, name) as changes:
        found = await settings.find_address(con, name, link)
        owner = valid(ground, changes)
        if found is None or found.asked_by not in addresses_of(owner):
            return page(request, "confirm.html", status=410, **gone)
        if await accept(con, name, ground, owner, found):
            return page(request, "confirm.html", status=410, **gone)
        await settings.use_address(con, name, link)
    return page(request, "confirm.html", **gone | {"done": True, "owner": owner, "address": found.address})


async def accept(
    con: asyncpg.Connection, name: str, ground: Owner, owner: Owner, found: Pending
) -> Refused | None:
    """Store the address, and tell the others. Return what is wrong with it, if anything is."""
    others = [one for one in owner.mail if one.casefold() != found.address.casefold()]
    value = found.address if found.setting == "mail_then" else [*others, found.address]
    actor = Actor(found.asked_by, "portal", "owner")
    refused = await store(con, name, ground, {found.setting: value}, actor)
    if not refused:
        await passkeys.remove_of(con, name, found.address)  # of a person who had it before
        await tell(con, name, owner, "added", found.address)
    return refused


async def tell(con: asyncpg.Connection, name: str, owner: Owner, what: str, address: str) -> None:
    """Have every address that the owner had before told of it."""
    notice = Notice(what, address, tuple(addresses_of(owner)), owner.language, owner.require_tls)
    await settings.notify(con, name, notice)


OWNER = "{owner:[a-z0-9_-]{1,64}}"
LINK = "{link:[A-Za-z0-9_-]{43}}"
ROUTES = (
    web.post("/data/addresses", add, name="add_address"),
    web.post("/data/addresses/remove", remove, name="remove_address"),
)
PUBLIC_ROUTES = (
    web.get(f"/confirm/{OWNER}/{LINK}", show_link, name="confirm"),
    web.post("/confirm/use", confirm, name="use_confirm"),
)
