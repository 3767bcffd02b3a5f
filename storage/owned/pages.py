"""Pages of an owner's messages or recordings, newest first, and where the next one begins."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from storage.owned.calls import LONGEST_PAGE


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last row of a page: the next page begins after it."""

    began: datetime
    audio_id: str


type ReadPage[V] = Callable[
    [asyncpg.Connection, str, Cursor | None, int], Awaitable[tuple[list[V], Cursor | None]]
]
type Read[V] = Callable[[asyncpg.Connection, str, str], Awaitable[V | None]]


async def rows_of_page(
    con: asyncpg.Connection, statement: str, owner: str, after: Cursor | None, size: int
) -> tuple[Sequence[asyncpg.Record], Cursor | None]:
    """The next rows, at most `size`; and where the page after them begins, if there is one.

    `statement` takes owner, id (NULL: all), began and id of the last row, and a limit; its rows have `began`
    and `audio_id`.
    """
    size = min(size, LONGEST_PAGE)
    place = (after.began, after.audio_id) if after else (None, None)
    rows: Sequence[asyncpg.Record] = await con.fetch(statement, owner, None, *place, size + 1)
    last = rows[size - 1] if len(rows) > size else None
    return rows[:size], Cursor(last["began"], last["audio_id"]) if last else None
