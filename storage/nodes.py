"""A node's name is one worker's: two under it would take each other's calls and sounds for their own.

The name is held by a lock of the drainer's connection: so it is free as soon as that worker is gone.
"""

import socket
import zlib
from contextlib import suppress
from pathlib import Path

import asyncpg

# PostgreSQL's own are 2 hours: so long a host that lost its power would hold its name.
KEEPALIVES = {
    "tcp_keepalives_idle": "15",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}
HOLD = "SELECT pg_advisory_lock_shared($1, $2)"
LET_GO = "SELECT pg_advisory_unlock_shared($1, $2)"
# Two keys make a lock with objsubid 2. Who holds it may be another role's to know.
OTHERS = """
SELECT pid, client_addr FROM pg_locks LEFT JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND objsubid = 2 AND granted
    AND classid = $1::int8::oid AND objid <> $2::int8::oid
    AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
LIMIT 1
"""


class NodeTaken(Exception):
    """Another live worker has this node's name, and another journal."""


async def hold(con: asyncpg.Connection, node: str, place: str) -> None:
    """Have the node's name for the journal at this place, as long as the connection lives. Raises NodeTaken.

    Several workers of one journal may: they do no harm to each other.
    """
    keys = key(f"callengine node {node}"), key(place)
    await con.execute(HOLD, *keys)
    other = await con.fetchrow(OTHERS, *keys)
    if other is None:
        return
    await con.execute(LET_GO, *keys)
    pid, where = other["pid"], f" at {other['client_addr']}" if other["client_addr"] else ""
    raise NodeTaken(
        f"node {node}: another worker{where} has this name in this database, with another journal; give each "
        f"node a name of its own (`node` in callengine.toml). If that worker is gone for good: "
        f"SELECT pg_terminate_backend({pid})"
    )


def key(text: str) -> int:
    """A positive int4."""
    return zlib.crc32(text.encode()) & 0x7FFF_FFFF


def place_of(journal: Path) -> str:
    """Which folder, on which host: what two live journals never have in common."""
    machine = ""
    with suppress(OSError):
        machine = Path("/etc/machine-id").read_text("ascii").strip()
    return f"{machine} {socket.gethostname()} {journal.resolve()}"
