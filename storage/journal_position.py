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


async def position(con: asyncpg.Connection, node: str, journal: str) -> tuple[Position, str | None]:
    """The position up to which this journal is stored, and how its segment begins.

    None instead of the beginning: not known, because an earlier version stored the position of this node.
    """
    row = await con.fetchrow(POSITION, journal, node)
    return (Position(row["segment"], row["byte"]), row["head"]) if row else (Position(), None)


async def mark(con: asyncpg.Connection, node: str, journal: str, reached: Position, head: str) -> None:
    """Store the position that draining has reached, in the transaction of the rows themselves."""
    await con.execute(MARK, journal, node, reached.segment, reached.offset, head)
