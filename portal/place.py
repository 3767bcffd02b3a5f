"""Where a page begins, as text for its address: the last row of the page before. It names no caller."""

import re
from datetime import UTC, datetime, timedelta

from aiohttp import web

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PLACE = re.compile(r"([0-9]{1,17})_([0-9a-z-]{1,60})", re.ASCII)


def instant_text(at: datetime, row_id: object) -> str:
    """The place of a row: its instant in microseconds, and its id."""
    return f"{(at - EPOCH) // timedelta(microseconds=1)}_{row_id}"


def read_place(text: str) -> tuple[datetime, str] | None:
    """Instant and id; None for an empty text. Raises HTTPNotFound for anything that we did not write."""
    if not text:
        return None
    match = PLACE.fullmatch(text[:100])
    if match is None:
        raise web.HTTPNotFound(text="there is no such page\n")
    try:
        return EPOCH + timedelta(microseconds=int(match[1])), match[2]
    except OverflowError:
        raise web.HTTPNotFound(text="there is no such page\n") from None


def read_number(text: str) -> int | None:
    """A place that is a number; None for an empty text. Raises HTTPNotFound."""
    if not text:
        return None
    if not re.fullmatch("[0-9]{1,18}", text, re.ASCII):
        raise web.HTTPNotFound(text="there is no such page\n")
    return int(text)
