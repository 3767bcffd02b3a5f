"""How far a node's journal has come into the database, and what the database would not have of it."""

import json
from collections.abc import Sequence

import asyncpg

from journal.position import Position

MARK = """
INSERT INTO drained (node, segment, byte) VALUES ($1, $2, $3)
ON CONFLICT (node) DO UPDATE SET segment = EXCLUDED.segment, byte = EXCLUDED.byte, drained_at = now()
"""

SET_ASIDE = """
INSERT INTO set_aside (call_id, rev, node, why, entries) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (call_id, rev) DO NOTHING
"""


async def position(con: asyncpg.Connection, node: str) -> Position:
    """Up to where everything of this node is in the database."""
    row = await con.fetchrow("SELECT segment, byte FROM drained WHERE node = $1", node)
    return Position(row["segment"], row["byte"]) if row else Position()


async def mark(con: asyncpg.Connection, node: str, reached: Position) -> None:
    """Write down where draining has come to; in the transaction of the rows themselves."""
    await con.execute(MARK, node, reached.segment, reached.offset)


async def set_aside(
    con: asyncpg.Connection, node: str, call_id: str, *, rev: int, payloads: Sequence[bytes], why: str
) -> None:
    """Keep the entries of a call that cannot become a record, or not whole, for a person to look at."""
    entries = f"[{','.join(as_json(payload) for payload in payloads)}]"
    await con.execute(SET_ASIDE, plain(call_id), rev, node, plain(why), entries)


def as_json(payload: bytes) -> str:
    """The payload itself where it is JSON, else what there is of it as a JSON string."""
    text = payload.decode("ascii", "backslashreplace")
    try:
        json.loads(text)
    except ValueError:
        return json.dumps(text)
    return text


def plain(text: str) -> str:
    """The text without what PostgreSQL refuses (NUL, lone surrogates); for a person to read."""
    return text.encode("ascii", "backslashreplace").decode("ascii").replace("\0", "\\0")
