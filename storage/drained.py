"""How far a journal has come into the database, and what the database would not have of it."""

import json
from collections.abc import Sequence

import asyncpg

from journal.position import Position

# A journal of before it had an id is known by its node.
POSITION = """
SELECT segment, byte, head FROM journal WHERE journal = $1
UNION ALL
SELECT segment, byte, NULL FROM drained
WHERE node = $2 AND NOT EXISTS (SELECT FROM journal WHERE journal = $1)
"""

MARK = """
INSERT INTO journal (journal, node, segment, byte, head) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (journal) DO UPDATE SET node = EXCLUDED.node, segment = EXCLUDED.segment, byte = EXCLUDED.byte,
    head = EXCLUDED.head, drained_at = now()
"""

SET_ASIDE = """
INSERT INTO set_aside (call_id, rev, node, why, entries) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (call_id, rev) DO NOTHING
"""


async def position(con: asyncpg.Connection, node: str, journal: str) -> tuple[Position, str | None]:
    """Up to where everything of this journal is in the database, and how its segment begins.

    None instead: not known, for the position is that of a journal which this node had before.
    """
    row = await con.fetchrow(POSITION, journal, node)
    return (Position(row["segment"], row["byte"]), row["head"]) if row else (Position(), None)


async def mark(con: asyncpg.Connection, node: str, journal: str, reached: Position, head: str) -> None:
    """Write down where draining has come to; in the transaction of the rows themselves."""
    await con.execute(MARK, journal, node, reached.segment, reached.offset, head)


async def set_aside(
    con: asyncpg.Connection, node: str, call_id: str, *, rev: int, payloads: Sequence[bytes], why: str
) -> None:
    """Keep the entries of a call that cannot become a record, or not whole, for a person to look at."""
    entries = f"[{','.join(as_json(payload) for payload in payloads)}]"
    await con.execute(SET_ASIDE, plain(call_id), rev, node, plain(why), entries)


async def aside(con: asyncpg.Connection, node: str) -> list[tuple[str, int, str]]:
    """The calls of this node that are set aside: id, revision, entries as a JSON array; oldest first."""
    rows = await con.fetch(
        "SELECT call_id, rev, entries FROM set_aside WHERE node = $1 ORDER BY put_here, call_id", node
    )
    return [(row["call_id"], row["rev"], row["entries"]) for row in rows]


async def count_aside(con: asyncpg.Connection) -> int:
    """How many calls of all nodes are set aside."""
    return int(await con.fetchval("SELECT count(DISTINCT call_id) FROM set_aside"))


async def no_longer_aside(con: asyncpg.Connection, call_id: str, rev: int) -> None:
    """It has become a record; in the transaction of that."""
    await con.execute("DELETE FROM set_aside WHERE call_id = $1 AND rev = $2", call_id, rev)


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
