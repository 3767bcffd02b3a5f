"""Who is logged in: read from the cookie, before any page of an owner."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import asyncpg
from aiohttp import web

from dialplan.names import LANGUAGES
from dialplan.number import Owner
from portal.routing import addresses_of
from portal.secrets import is_token
from portal.services import SERVICES, Services
from portal.texts import preferred
from storage.access import Actor
from storage.owned.logins import LONGEST_SESSION, Session, find_session
from storage.owned.tenant import nobodys, owned

LANGUAGE = "language"
YEAR = 365 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Visitor:
    """A person who is logged in for `owner`. `token`: for forms. `zone`: in which times are shown."""

    name: str
    owner: Owner
    session: Session
    token: str
    language: str
    zone: ZoneInfo

    @property
    def actor(self) -> Actor:
        """As the access log has them."""
        return Actor(self.session.address, "portal", "owner")


VISITOR = web.RequestKey("visitor", Visitor)


async def visitor_of(request: web.Request) -> Visitor | None:
    """Who sent this request; None without a valid session.

    A session ends for an address that is in its owner's file no more.
    """
    services = request.app[SERVICES]
    cookie = request.cookies.get(session_cookie(services), "")
    if not is_token(cookie):
        return None
    async with nobodys(services.pool) as con:
        session = await find_session(con, cookie, services.idle)
    owner = services.routing.owner(session.owner) if session else None
    if session is None or owner is None or session.address not in addresses_of(owner):
        return None
    return Visitor(
        name=session.owner,
        owner=owner,
        session=session,
        token=services.secrets.form_token(cookie),
        language=request.cookies.get(LANGUAGE, "") if has_language(request) else owner.language,
        zone=services.routing.zone_of(session.owner),
    )


@asynccontextmanager
async def database(request: web.Request) -> AsyncIterator[asyncpg.Connection]:
    """A connection that sees the rows of the owner who is logged in."""
    async with owned(request.app[SERVICES].pool, request[VISITOR].name) as con:
        yield con


def language_of(request: web.Request) -> str:
    """The language of a page before the login."""
    if has_language(request):
        return request.cookies[LANGUAGE]
    return preferred(request.headers.get("Accept-Language", ""))


def has_language(request: web.Request) -> bool:
    return request.cookies.get(LANGUAGE, "") in LANGUAGES


def session_cookie(services: Services) -> str:
    return cookie_name(services, "session")


def cookie_name(services: Services, name: str) -> str:
    """With TLS, a browser takes a cookie of this name only from this host, for all of it."""
    return f"__Host-{name}" if services.is_secure else name


def set_cookie(response: web.StreamResponse, services: Services, name: str, value: str, seconds: int) -> None:
    response.set_cookie(
        name,
        value,
        max_age=seconds,
        path="/",
        secure=services.is_secure,
        httponly=True,
        samesite="Lax",
    )


def begin(response: web.StreamResponse, services: Services, cookie: str) -> None:
    seconds = int(LONGEST_SESSION.total_seconds())
    set_cookie(response, services, session_cookie(services), cookie, seconds)


def forget(response: web.StreamResponse, services: Services, name: str) -> None:
    response.del_cookie(name, path="/", secure=services.is_secure, httponly=True, samesite="Lax")
