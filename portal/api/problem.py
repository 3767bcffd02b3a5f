"""Errors of the API: application/problem+json (RFC 9457)."""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus

from aiohttp import web
from pydantic import ValidationError

TYPE = "application/problem+json"


class Problem(Exception):
    """An answer that is an error. `detail`: for a person, without anything that was sent.

    `more`: fields of this error alone.
    """

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        errors: Sequence[Mapping[str, str]] = (),
        more: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers or {}
        self.errors = errors
        self.more = more or {}

    def answer(self) -> web.Response:
        facts = {"type": "about:blank", "title": self.status.phrase, "status": int(self.status)}
        body = {**facts, "detail": self.detail} | ({"errors": list(self.errors)} if self.errors else {})
        text = json.dumps({**body, **self.more})
        response = web.Response(body=text.encode(), status=self.status, headers=self.headers)
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


def conflict(detail: str, **more: object) -> Problem:
    return Problem(HTTPStatus.CONFLICT, detail, more=more)


def wrong(errors: Sequence[Mapping[str, str]], detail: str = "parameters cannot be understood") -> Problem:
    return Problem(HTTPStatus.BAD_REQUEST, detail, errors=errors)


def errors_of(error: ValidationError) -> list[dict[str, str]]:
    """What is wrong with each field, without its value."""
    return [
        {"name": ".".join(map(str, one["loc"]))[:40], "detail": one["msg"]}
        for one in error.errors(include_input=False, include_context=False, include_url=False)
    ]
