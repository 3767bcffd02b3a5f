"""Before each operation of the API: the host, the token, its scope and its limit; after it, the answer."""

import json
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from importlib.metadata import version
from urllib.parse import urlsplit

import structlog
from aiohttp import hdrs, web

from portal.api.asked import Asked, query_of
from portal.api.bodies import body_of
from portal.api.document import document
from portal.api.etag import with_etag
from portal.api.limit import Limit
from portal.api.operations import OPERATIONS, PREFIX, Operation
from portal.api.problem import Problem, not_there, unauthorized
from portal.api.queries import Query
from portal.guard import place_of
from portal.services import SERVICES
from storage import access, api_tokens
from storage.access import Access
from storage.api_tokens import Token
from storage.away import AWAY
from storage.owned.tenant import nobodys

LIMIT = web.AppKey("api limit", Limit)
DOCUMENT = "openapi.json"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
log = structlog.get_logger()


@web.middleware
async def api(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer what is below /api; let pages pass to what stands before them."""
    if not request.path.startswith("/api/") and request.path != "/api":
        return await handler(request)
    try:
        return await answer(request)
    except Problem as problem:
        return problem.answer()
    except AWAY as error:
        log.warning("portal_database_away", error=type(error).__name__)
        away = "the database is away: try again"
        return Problem(HTTPStatus.SERVICE_UNAVAILABLE, away, headers={"Retry-After": "30"}).answer()
    except Exception as error:  # noqa: BLE001 - one request's error ends that request
        name = request.match_info.route.name or "unknown"
        log.error("portal_page_failed", route=name, error=type(error).__name__, place=place_of(error))  # noqa: TRY400 - no traceback: it may hold a caller's number
        return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "this has failed: tell your provider").answer()


async def answer(request: web.Request) -> web.StreamResponse:
    """Raises Problem."""
    if request.host.lower() != urlsplit(request.app[SERVICES].portal.url).netloc:
        raise Problem(HTTPStatus.MISDIRECTED_REQUEST, "this is not the address of this API")
    if request.path == f"{PREFIX}/{DOCUMENT}":
        return described(request)
    token = await token_of(request)
    operation = BY_NAME.get(request.match_info.route.name or "")
    if isinstance(refused := request.match_info.http_exception, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(refused.allowed_methods))
        here = f"this address has {allowed}"
        raise Problem(HTTPStatus.METHOD_NOT_ALLOWED, here, headers={hdrs.ALLOW: allowed})
    if operation is None:
        raise not_there()
    if operation.scope is not None and operation.scope not in token.scopes:
        raise Problem(HTTPStatus.FORBIDDEN, f"this token has not the scope `{operation.scope}`")
    if (seconds := request.app[LIMIT].wait(token.token_id)) > 0:
        slower = "too many requests of this token"
        raise Problem(HTTPStatus.TOO_MANY_REQUESTS, slower, headers={"Retry-After": str(seconds)})
    query, body = query_of(operation.query, request), await body_of(operation.body, request)
    asked = Asked(request, token, query, dict(request.match_info), body)
    found = await operation.perform(asked)
    if isinstance(found, web.StreamResponse):
        return found
    if operation.logs:
        await logged(asked, operation)
    response = with_etag(request, found.model_dump_json().encode())
    if operation.status is not HTTPStatus.OK:
        response.set_status(operation.status)
    return response


async def token_of(request: web.Request) -> Token:
    """The token of this request. Raises Problem."""
    services = request.app[SERVICES]
    scheme, _, text = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    if scheme.lower() != "bearer":
        raise unauthorized()
    async with nobodys(services.pool) as con:
        token = await api_tokens.find(con, services.tokens, text.strip())
    if token is None or services.routing.owner(token.owner) is None:
        raise unauthorized()
    return token


async def logged(asked: Asked[Query], operation: Operation) -> None:
    """Add a line to the owner's access log: one an hour for each token and kind of data."""
    if asked.request.app[LIMIT].is_first(asked.token.token_id, operation.name):
        async with asked.database() as con:
            detail = f"{operation.scope} by the API, token {asked.token.name}"
            await access.add(con, None, Access.EXPORT, asked.actor, owner=asked.owner, detail=detail)


def described(request: web.Request) -> web.Response:
    """The OpenAPI document: for everybody, because it has nothing of anybody."""
    url = request.app[SERVICES].portal.url
    return with_etag(request, json.dumps(document(url, version("callengine"))).encode())


async def never(_request: web.Request) -> web.StreamResponse:
    """The route's handler: `api` answers before."""
    raise not_there()


def add_api(app: web.Application) -> None:
    """Add the routes of the API; `api` has to be the first middleware."""
    app[LIMIT] = Limit(time.monotonic)
    for operation in OPERATIONS:
        if operation.method == hdrs.METH_GET:
            app.router.add_get(operation.route, never, name=operation.name)  # and HEAD
        else:
            app.router.add_route(operation.method, operation.route, never, name=operation.name)


BY_NAME = {operation.name: operation for operation in OPERATIONS}
