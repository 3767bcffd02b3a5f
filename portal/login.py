"""Login by a link in a mail, and logout.

A mail scanner may open every link of a mail: opening it shows a button, and only the button uses the link up.
The link counts in the browser that asked for it, because that one alone has the cookie. The answer to a
request is the same whether an owner has the address or not.
"""

from collections.abc import Sequence
from ipaddress import ip_network

from aiohttp import web

from dialplan.names import LANGUAGES
from dialplan.number import check_mail
from portal.guard import field, form
from portal.link_mail import LinkMail
from portal.pages import page
from portal.passkey_ceremony import relying_party
from portal.routing import addresses_of
from portal.secrets import is_token, new_token
from portal.services import SERVICES, Services
from portal.visitor import (
    LANGUAGE,
    YEAR,
    begin,
    cookie_name,
    forget,
    language_of,
    session_cookie,
    set_cookie,
    visitor_of,
)
from process.connections import plain_address
from storage import access
from storage.access import Access, Actor
from storage.owned.logins import (
    LINK_LIFE,
    LinkRequest,
    end_session,
    owners_of_link,
    request_link,
    use_link,
)
from storage.owned.tenant import nobodys, owned

TLS_SEEN = "SELECT EXISTS (SELECT FROM tls_seen WHERE domain = $1)"
BROWSER = "login"


async def show_login(request: web.Request) -> web.StreamResponse:
    if await visitor_of(request):
        raise web.HTTPSeeOther("/")
    return login_page(request)


def login_page(
    request: web.Request, *, status: int = 200, wrong: bool = False, refused: str = ""
) -> web.Response:
    """The form for a link. `refused`: why a passkey was not accepted, a text of `passkey`."""
    offered = relying_party(request.app[SERVICES].portal) is not None
    return page(request, "login.html", status=status, wrong=wrong, refused=refused, passkeys=offered)


async def ask(request: web.Request) -> web.StreamResponse:
    """Mail a link, if an owner has this address. The answer is the same in each case."""
    services = request.app[SERVICES]
    address = field(await form(request), "address")
    try:
        check_mail(address)
    except ValueError:
        return login_page(request, status=422, wrong=True)
    browser = new_token()
    await _mail(request, services, address, browser)
    response = page(request, "sent.html", minutes=int(LINK_LIFE.total_seconds() // 60))
    name = cookie_name(services, BROWSER)
    set_cookie(response, services, name, browser, int(LINK_LIFE.total_seconds()))
    return response


async def _mail(request: web.Request, services: Services, address: str, browser: str) -> None:
    owners = services.routing.owners_of(address)
    link = new_token()
    known = known_spelling(services, owners, address)
    asked = LinkRequest(
        link=link,
        browser=browser,
        address_hash=services.secrets.hashed("address", address.casefold()),
        source_hash=services.secrets.hashed("source", source_of(request, services)),
        owners=owners,
        address=known,
    )
    async with nobodys(services.pool) as con:
        stored = await request_link(con, asked)
        tls_seen = await con.fetchval(TLS_SEEN, address.rpartition("@")[2].lower())
    if not stored or known is None:
        return
    owner = services.routing.owner(owners[0])
    services.links.send(
        LinkMail(
            to=known,
            url=f"{services.portal.url}/login/{link}",
            language=owner.language if owner else language_of(request),
            title=services.portal.title,
            require_tls=bool(owner and owner.require_tls),
            tls_seen=bool(tls_seen),
        )
    )


def known_spelling(services: Services, owners: Sequence[str], address: str) -> str | None:
    """The address as the owner's file has it; None if there is no such owner."""
    for owner in map(services.routing.owner, owners):
        for known in addresses_of(owner) if owner else ():
            if known.casefold() == address.casefold():
                return known
    return None


async def show_link(request: web.Request) -> web.StreamResponse:
    """A button that uses the link. Opening the page changes nothing."""
    services, link = request.app[SERVICES], request.match_info["link"]
    async with nobodys(services.pool) as con:
        owners = await owners_of_link(con, link, browser_of(request, services))
    named = [(name, found.name) for name in owners if (found := services.routing.owner(name))]
    return page(request, "link.html", link=link, owners=named, status=200 if named else 410)


async def use(request: web.Request) -> web.StreamResponse:
    """Use the link up and log in."""
    services = request.app[SERVICES]
    fields = await form(request)
    link, owner = field(fields, "link"), field(fields, "owner")
    browser, session = browser_of(request, services), new_token()
    known = is_token(link) and services.routing.owner(owner) is not None
    async with owned(services.pool, owner) as con:
        address = await use_link(con, link, browser, owner, session) if known else None
        if address is None:
            return page(request, "link.html", link="", owners=[], status=410)
        await access.add(con, None, Access.LOGIN, Actor(address, "portal", "owner"), owner=owner)
    response = web.HTTPSeeOther("/")
    begin(response, services, session)
    forget(response, services, cookie_name(services, BROWSER))
    raise response


def browser_of(request: web.Request, services: Services) -> str:
    """The secret of the browser that asked for a link; "" if it has not."""
    cookie = request.cookies.get(cookie_name(services, BROWSER), "")
    return cookie if is_token(cookie) else ""


async def logout(request: web.Request) -> web.StreamResponse:
    services = request.app[SERVICES]
    async with nobodys(services.pool) as con:
        await end_session(con, request.cookies[session_cookie(services)])
    response = web.HTTPSeeOther("/login")
    forget(response, services, session_cookie(services))
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    raise response


async def choose_language(request: web.Request) -> web.StreamResponse:
    language = field(await form(request), "language")
    response = web.HTTPSeeOther("/")
    if language in LANGUAGES:
        set_cookie(response, request.app[SERVICES], LANGUAGE, language, YEAR)
    raise response


def source_of(request: web.Request, services: Services) -> str:
    """The network that sent this, for counting: an IPv4 address, or the /64 of an IPv6 address.

    The last proxy's word counts, if it is one of ours.
    """
    peer = request.remote or ""
    forwarded = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
    try:
        address = plain_address(peer)
        if forwarded and (address.is_loopback or any(address in it for it in services.portal.proxies)):
            address = plain_address(forwarded)
    except ValueError:
        return peer
    return str(address) if address.version == 4 else str(ip_network((address, 64), strict=False))


LINK = "{link:[A-Za-z0-9_-]{43}}"
PUBLIC_ROUTES = (
    web.get("/login", show_login, name="login"),
    web.post("/login", ask, name="ask"),
    web.get(f"/login/{LINK}", show_link, name="link"),
    web.post("/login/use", use, name="use"),
    web.post("/language", choose_language, name="language"),
)
ROUTES = (web.post("/logout", logout, name="logout"),)
