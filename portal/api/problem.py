"""Errors of the API: application/problem+json (RFC 9457)."""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus

from aiohttp import web

TYPE = "application/problem+json"


class Problem(Exception):
    """An answer that is an error. `detail`: for a person, without anything that was sent."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        errors: Sequence[Mapping[str, str]] = (),
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers or {}
        self.errors = errors

    def answer(self) -> web.Response:
        facts = {"type": "about:blank", "title": self.status.phrase, "status": int(self.status)}
        body = {**facts, "detail": self.detail} | ({"errors": list(self.errors)} if self.errors else {})
        response = web.Response(body=json.dumps(body).encode(), status=self.status, headers=self.headers)
        response.content_type = TYPE
        return response


def not_there() -> Problem:
    """Also for everything of another owner."""
    return Problem(HTTPStatus.NOT_FOUND, "there is nothing at this address")


def unauthorized() -> Problem:
    return Problem(
        HTTPStatus.UNAUTHORIZED,
        "send a token that counts: Authorization: Bearer callengine_...",
        headers={"WWW-Authenticate": 'Bearer realm="callengine"'},
    )
