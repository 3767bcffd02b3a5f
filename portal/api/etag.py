"""ETags: of what is read, and as the condition of a change (RFC 9110, 13.1)."""

import hashlib
from http import HTTPStatus

from aiohttp import hdrs, web
from aiohttp.helpers import ETag

from portal.api.problem import Problem


def tag_of(body: bytes) -> str:
    """The same for the same body."""
    return hashlib.sha256(body).hexdigest()[:32]


def with_etag(request: web.Request, body: bytes) -> web.Response:
    """The body; 304 if the client has it already."""
    headers = {hdrs.CACHE_CONTROL: "private, no-cache", hdrs.ETAG: f'"{tag_of(body)}"'}
    if request.method in (hdrs.METH_GET, hdrs.METH_HEAD) and _is_one(request.if_none_match, body):
        return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)
    return web.Response(body=body, content_type="application/json", headers=headers)


def require_match(request: web.Request, body: bytes) -> None:
    """Raises Problem unless If-Match has the ETag of this body: what the client wants to change."""
    if request.if_match is None:
        raise Problem(HTTPStatus.PRECONDITION_REQUIRED, "send the ETag of what you change, as If-Match")
    if not _is_one(request.if_match, body):
        raise Problem(HTTPStatus.PRECONDITION_FAILED, "this has been changed meanwhile: read it again")


def _is_one(tags: tuple[ETag, ...] | None, body: bytes) -> bool:
    return any(one.value in (tag_of(body), "*") for one in tags or ())
