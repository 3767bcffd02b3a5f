"""What holds for every request: its host, its origin, its size and time, a login; and for every answer."""

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import urlsplit

import structlog
from aiohttp import hdrs, web
from multidict import MultiMapping

from portal.secrets import same
from portal.services import SERVICES
from portal.visitor import VISITOR, visitor_of
from storage.away import AWAY

BODY_BYTES = 64 * 1024
BODY_SECONDS = 10.0
FORM = "application/x-www-form-urlencoded"  # other forms would be written to files
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; media-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    # Never a path, in which a link's secret may be. With `no-referrer` browsers hide their forms' origin too.
    "Referrer-Policy": "strict-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}
HSTS = "max-age=31536000"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
PUBLIC = web.AppKey("public", frozenset[str])  # names of routes that need no login
log = structlog.get_logger()


@web.middleware
async def only_our_host(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse another host: links and cookies belong to ours."""
    if request.host.lower() != urlsplit(request.app[SERVICES].portal.url).netloc:
        raise web.HTTPMisdirectedRequest(text="this is not the address of this portal\n")
    return await handler(request)


@web.middleware
async def only_from_our_pages(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse a form that another site has sent: browsers say where it came from."""
    if request.method == hdrs.METH_POST:
        origin = request.headers.get(hdrs.ORIGIN)
        site = request.headers.get("Sec-Fetch-Site")
        ours = request.app[SERVICES].portal.url
        if (origin is not None and origin.lower() != ours) or site not in (None, "same-origin"):
            raise web.HTTPForbidden(text="this form was not sent by a page of this portal\n")
        if request.content_type != FORM:
            raise web.HTTPUnsupportedMediaType(text=f"write {FORM}\n")
    return await handler(request)


@web.middleware
async def only_logged_in(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Lead everybody else to the login; a form needs the token of the session, too."""
    if request.match_info.route.name in request.app[PUBLIC]:
        return await handler(request)
    visitor = await visitor_of(request)
    if visitor is None:
        raise web.HTTPSeeOther("/login")
    if request.match_info.http_exception is not None:
        raise request.match_info.http_exception
    request[VISITOR] = visitor
    if request.method == hdrs.METH_POST and not same(field(await form(request), "token"), visitor.token):
        raise web.HTTPForbidden(
            text="this form is of an earlier login: go back, reload the page, try again\n"
        )
    return await handler(request)


@web.middleware
async def told_in_words(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn errors into answers; nothing of a request is logged but its route's name."""
    try:
        return await handler(request)
    except web.HTTPException:
        raise
    except AWAY as error:
        log.warning("portal_database_away", error=type(error).__name__)
        raise web.HTTPServiceUnavailable(
            text="The portal cannot reach its database. Please try again in a minute.\n",
            headers={"Retry-After": "30"},
        ) from None
    except Exception as error:  # noqa: BLE001 - one page's error ends that page
        name = request.match_info.route.name or "unknown"
        # No traceback: its last line may hold a caller's number.
        log.error("portal_page_failed", route=name, error=type(error).__name__, place=place_of(error))  # noqa: TRY400 - see above
        raise web.HTTPInternalServerError(text="This page has failed. Please tell your provider.\n") from None


def place_of(error: BaseException) -> str:
    """FILE:LINE where it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""


async def protect(request: web.Request, response: web.StreamResponse) -> None:
    """Add the headers that every answer has, and close the connection after it."""
    for name, value in headers_of(request).items():
        response.headers.setdefault(name, value)
    response.headers.popall(hdrs.SERVER, None)
    response.force_close()
    response.headers[hdrs.CONNECTION] = "close"


def headers_of(request: web.Request) -> Mapping[str, str]:
    secure = request.app[SERVICES].is_secure
    return {**HEADERS, "Strict-Transport-Security": HSTS} if secure else HEADERS


async def form(request: web.Request) -> MultiMapping[object]:
    """The fields of a form, read within BODY_SECONDS. Raises HTTPRequestTimeout."""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await request.post()
    except TimeoutError:
        raise web.HTTPRequestTimeout(text="the form did not arrive in time\n") from None
    except (UnicodeDecodeError, ValueError):
        raise web.HTTPBadRequest(text="this form cannot be read\n") from None


def field(fields: MultiMapping[object], name: str) -> str:
    """A field's text, "" if it is absent."""
    value = fields.get(name, "")
    return value.strip() if isinstance(value, str) else ""
