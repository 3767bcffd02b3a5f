"""How far each journal is stored in the database."""

import asyncpg

from journal.position import Position

# A journal that an earlier version drained has no id there, but its node's name.
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


# A caller was erased from the checkpoint that the segment begins with.
NEW_HEAD = "UPDATE journal SET head = $3 WHERE journal = $1 AND segment = $2"


async def position(con: asyncpg.Connection, node: str, journal: str) -> tuple[Position, str | None]:
    """The position up to which this journal is stored, and how its segment begins.

    None instead of the beginning: not known, because an earlier version stored the position of this node.
    """
    row = await con.fetchrow(POSITION, journal, node)
    return (Position(row["segment"], row["byte"]), row["head"]) if row else (Position(), None)


async def mark(con: asyncpg.Connection, node: str, journal: str, reached: Position, head: str) -> None:
    """Store the position that draining has reached, in the transaction of the rows themselves."""
    await con.execute(MARK, journal, node, reached.segment, reached.offset, head)


async def store_head(con: asyncpg.Connection, journal: str, segment: str, head: str) -> None:
    """This segment, if draining has reached it, begins so from now on."""
    await con.execute(NEW_HEAD, journal, segment, head)
