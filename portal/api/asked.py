"""A request of the API that may be answered: by which token, with which parameters."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg
from aiohttp import web
from pydantic import ValidationError

from portal.api.bodies import Body
from portal.api.problem import errors_of, wrong
from portal.api.queries import Page, Query
from portal.place import instant_text, read_number, read_place
from portal.services import SERVICES
from storage.access import Actor
from storage.api_tokens import Token
from storage.owned.pages import Cursor, ReadPage
from storage.owned.tenant import owned


@dataclass(frozen=True, slots=True)
class Asked[Q: Query, B: Body = Body]:
    """`path`: what stands in the address, as its pattern allows."""

    request: web.Request
    token: Token
    query: Q
    path: dict[str, str]
    body: B

    @property
    def owner(self) -> str:
        return self.token.owner

    @property
    def actor(self) -> Actor:
        """As the access log has it."""
        return Actor(f"token {self.token.name}", "api", "owner")

    @asynccontextmanager
    async def database(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection that sees the rows of the token's owner, whatever a statement asks for."""
        async with owned(self.request.app[SERVICES].pool, self.token.owner) as con:
            yield con


def query_of[Q: Query](model: type[Q], request: web.Request) -> Q:
    """The parameters of a request. Raises Problem, without the values that were sent."""
    if len(request.query) > len(set(request.query)):
        raise wrong([{"name": "", "detail": "each parameter may be given once"}])
    try:
        return model.model_validate(dict(request.query))
    except ValidationError as error:
        raise wrong(errors_of(error)) from None


def place(cursor: str | None) -> tuple[datetime, str] | None:
    """Where a page begins. Raises Problem."""
    try:
        return read_place(cursor or "")
    except web.HTTPNotFound:
        raise wrong([NOT_OURS]) from None


async def page_of[V](asked: "Asked[Page]", read: ReadPage[V]) -> tuple[list[V], str | None]:
    """The messages or recordings of a page, and the cursor of the next one. Raises Problem."""
    after = place(asked.query.cursor)
    async with asked.database() as con:
        found, following = await read(con, asked.owner, Cursor(*after) if after else None, asked.query.limit)
    return found, instant_text(following.began, following.audio_id) if following else None


def call_place(cursor: str | None) -> tuple[datetime, UUID] | None:
    """The same, of calls. Raises Problem."""
    found = place(cursor)
    try:
        return (found[0], UUID(found[1])) if found else None
    except ValueError:
        raise wrong([NOT_OURS]) from None


def number_place(cursor: str | None) -> int | None:
    """The same, where it is a number. Raises Problem."""
    try:
        return read_number(cursor or "")
    except web.HTTPNotFound:
        raise wrong([NOT_OURS]) from None


NOT_OURS = {"name": "cursor", "detail": "write `next` of the page before"}
