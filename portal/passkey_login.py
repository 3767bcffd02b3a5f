"""Login by a passkey: the page with the browser's dialogue, and its answer.

An answer that does not count is refused in the same words, whatever is wrong with it; the challenge is used
up in each case.
"""

import asyncpg
import structlog
from aiohttp import web

from portal.guard import field, form
from portal.login import login_page, source_of
from portal.passkey_ceremony import PasskeyRefused, RelyingParty, credential_of, new_bytes
from portal.passkeys import ceremony, party_of
from portal.routing import addresses_of
from portal.secrets import is_token, new_token
from portal.services import SERVICES, Services
from portal.visitor import begin, cookie_name, forget, set_cookie
from storage import access
from storage.access import Access, Actor
from storage.owned import passkeys
from storage.owned.logins import begin_session
from storage.owned.passkeys import LIFE, ChallengeRequest, Passkey
from storage.owned.tenant import nobodys, owned

BROWSER = "passkey"
log = structlog.get_logger()


async def ask(request: web.Request) -> web.StreamResponse:
    """Show the browser's dialogue."""
    await form(request)  # nothing is in it
    services, party = request.app[SERVICES], party_of(request)
    challenge, browser = new_bytes(), new_token()
    source_hash = services.secrets.hashed("source", source_of(request, services))
    async with nobodys(services.pool) as con:
        stored = await passkeys.request_challenge(con, ChallengeRequest(challenge, browser, source_hash))
    if not stored:
        return login_page(request, status=429, refused="often")
    options = party.request(challenge)
    response = ceremony(request, options, action="/login/passkey/use", back="/login")
    set_cookie(response, services, cookie_name(services, BROWSER), browser, int(LIFE.total_seconds()))
    return response


async def use(request: web.Request) -> web.StreamResponse:
    """Log in, if the answer is by a passkey of an owner."""
    answer, session = field(await form(request), "answer"), new_token()
    services, party = request.app[SERVICES], party_of(request)
    browser = request.cookies.get(cookie_name(services, BROWSER), "")
    try:
        await _log_in(services, party, browser, answer, session)
    except PasskeyRefused as error:
        log.warning("portal_passkey_refused", why=str(error))
        return login_page(request, status=403, refused="refused")
    response = web.HTTPSeeOther("/")
    begin(response, services, session)
    forget(response, services, cookie_name(services, BROWSER))
    raise response


async def _log_in(services: Services, party: RelyingParty, browser: str, answer: str, session: str) -> None:
    """Begin this session. Raises PasskeyRefused."""
    async with nobodys(services.pool) as con:
        challenge = await passkeys.take_challenge(con, browser) if is_token(browser) else None
        if challenge is None:
            raise PasskeyRefused("no challenge")
        credential_id = credential_of(answer)
        owner = await passkeys.owner_of(con, credential_id)
    if owner is None:
        raise PasskeyRefused("unknown")
    async with owned(services.pool, owner) as con, con.transaction():
        # Two logins by one passkey are counted one after the other.
        passkey = await passkeys.find(con, owner, credential_id)
        if passkey is None:
            raise PasskeyRefused("unknown")
        count = party.counted(answer, challenge, passkey)
        await passkeys.mark_used(con, owner, passkey.passkey_id, count)
        await _begin(services, con, owner, passkey, session)


async def _begin(
    services: Services, con: asyncpg.Connection, name: str, passkey: Passkey, session: str
) -> None:
    """Raises PasskeyRefused."""
    owner = services.routing.owner(name)
    if owner is None or passkey.address not in addresses_of(owner):
        raise PasskeyRefused("address removed")
    if not await begin_session(con, name, passkey.address, session, passkey.passkey_id):
        raise PasskeyRefused("owner locked")
    actor = Actor(passkey.address, "portal", "owner")
    await access.add(con, None, Access.LOGIN, actor, owner=name, detail=f"passkey: {passkey.name}")


PUBLIC_ROUTES = (
    web.post("/login/passkey", ask, name="ask_passkey_login"),
    web.post("/login/passkey/use", use, name="use_passkey"),
)
