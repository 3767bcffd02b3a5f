"""An owner's passkeys on "My data": add one or remove one; every address of the owner gets a mail.

Adding takes two requests: a form asks for a passkey, and the next page starts the browser's dialogue. Only
that page has a script.
"""

import hashlib
from typing import Any

from aiohttp import hdrs, web

from dialplan.model import check_label
from portal.guard import HEADERS, field, form
from portal.login import source_of
from portal.pages import page
from portal.passkey_ceremony import PasskeyRefused, Person, RelyingParty, new_bytes, relying_party
from portal.routing import addresses_of
from portal.services import SERVICES
from portal.visitor import VISITOR, Visitor, database, session_cookie
from storage import access
from storage.access import Access
from storage.owned import passkeys, settings
from storage.owned.passkeys import ChallengeRequest
from storage.owned.settings import Notice

WITH_SCRIPT = HEADERS[hdrs.CONTENT_SECURITY_POLICY] + "; script-src 'self'"
LONGEST_NAME = 80


def ceremony(request: web.Request, options: str, **more: str) -> web.Response:
    """Return the page that starts the browser's dialogue with these WebAuthn options.

    `more`: `action`, the path to which the answer is posted; `back`, the path of the link back; `name`, that
    of a new passkey.
    """
    values: dict[str, Any] = {"name": "", **more}
    response = page(request, "passkey.html", options=options, **values)
    response.headers[hdrs.CONTENT_SECURITY_POLICY] = WITH_SCRIPT
    return response


async def ask(request: web.Request) -> web.StreamResponse:
    """Store a challenge, and return the page with the dialogue for a new passkey."""
    services, visitor, party = request.app[SERVICES], request[VISITOR], party_of(request)
    name = name_of(field(await form(request), "name"))
    challenge, source = new_bytes(), source_of(request, services)
    browser = request.cookies[session_cookie(services)]
    source_hash = services.secrets.hashed("source", source)
    async with database(request) as con:
        wanted = ChallengeRequest(challenge, browser, source_hash, visitor.name)
        stored = await passkeys.request_challenge(con, wanted)
        known = await passkeys.of(con, visitor.name)
    if not stored:
        raise web.HTTPSeeOther("/data?refused=passkey_often")
    person = Person(visitor.name, visitor.owner.name, visitor.session.address)
    mine = [one for one in known if one.address == person.address]
    options = party.creation(challenge, handle_of(challenge), person, mine)
    return ceremony(request, options, action="/data/passkeys/add", back="/data", name=name)


async def add(request: web.Request) -> web.StreamResponse:
    """Store the passkey that the device has created; every address of the owner gets a mail."""
    services, visitor, party = request.app[SERVICES], request[VISITOR], party_of(request)
    fields = await form(request)
    name, address = name_of(field(fields, "name")), visitor.session.address
    async with database(request) as con:
        browser = request.cookies[session_cookie(services)]
        challenge = await passkeys.take_challenge(con, browser, visitor.name)
        if challenge is None:
            raise web.HTTPSeeOther("/data?refused=passkey")
        try:
            answer = field(fields, "answer")
            new = party.created(answer, challenge, handle_of(challenge), address, name)
        except PasskeyRefused:
            raise web.HTTPSeeOther("/data?refused=passkey") from None
        async with settings.alone(con, visitor.name):
            if added := await passkeys.add(con, visitor.name, new, browser):
                detail = f"passkey: -> {name}"
                await access.add(con, None, Access.CHANGE, visitor.actor, owner=visitor.name, detail=detail)
                await settings.notify(con, visitor.name, notice(visitor, "passkey_added", name))
    raise web.HTTPSeeOther("/data" if added else "/data?refused=passkey")


async def remove(request: web.Request) -> web.StreamResponse:
    """Remove a passkey and end the sessions that began with it; every address of the owner gets a mail."""
    services, visitor = request.app[SERVICES], request[VISITOR]
    written = field(await form(request), "passkey")
    if not (written.isascii() and written.isdigit() and len(written) < 18):
        raise web.HTTPNotFound(text="there is no such passkey\n")
    session = request.cookies[session_cookie(services)]
    async with database(request) as con, settings.alone(con, visitor.name):
        name = await passkeys.remove(con, visitor.name, int(written), session)
        if name is not None:
            detail = f"passkey: {name} ->"
            await access.add(con, None, Access.CHANGE, visitor.actor, owner=visitor.name, detail=detail)
            await settings.notify(con, visitor.name, notice(visitor, "passkey_removed", name))
    if name is None:
        raise web.HTTPNotFound(text="there is no such passkey\n")
    raise web.HTTPSeeOther("/data")


def notice(visitor: Visitor, what: str, name: str) -> Notice:
    owner = visitor.owner
    return Notice(what, name, tuple(addresses_of(owner)), owner.language, owner.require_tls)


def party_of(request: web.Request) -> RelyingParty:
    """Return the relying party. Raises HTTPNotFound if this portal offers no passkeys."""
    if (party := relying_party(request.app[SERVICES].portal)) is None:
        raise web.HTTPNotFound(text="this portal has no passkeys\n")
    return party


def handle_of(challenge: bytes) -> bytes:
    """Return the user handle: a random id that the device stores with the passkey, without any name in it.

    It is derived from the challenge, so the second request can compute it again.
    """
    return hashlib.sha256(b"passkey" + challenge).digest()


def name_of(written: str) -> str:
    """Return the name of a new passkey. Raises HTTPSeeOther if a mail cannot contain it."""
    try:
        return check_label(written[:LONGEST_NAME])
    except ValueError:
        raise web.HTTPSeeOther("/data?refused=name") from None


ROUTES = (
    web.post("/data/passkeys", ask, name="ask_passkey"),
    web.post("/data/passkeys/add", add, name="add_passkey"),
    web.post("/data/passkeys/remove", remove, name="remove_passkey"),
)
