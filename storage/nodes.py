"""A node's name belongs to one worker: two with one name would mix up their calls and their audio.

An advisory lock of the drainer's connection holds the name: so it is free as soon as that worker is gone.
"""

import socket
import zlib
from contextlib import suppress
from pathlib import Path

import asyncpg

# PostgreSQL's defaults are 2 hours: a host that lost its power would hold its name for that long.
KEEPALIVES = {
    "tcp_keepalives_idle": "15",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}
HOLD = "SELECT pg_advisory_lock_shared($1, $2)"
LET_GO = "SELECT pg_advisory_unlock_shared($1, $2)"
# A lock with two keys has objsubid 2. Another role's client address may be hidden from this one.
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
    """Hold the node's name for the journal at this place, as long as the connection lives. Raises NodeTaken.

    Several workers of one journal may hold it: they do no harm to each other.
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
        f"node its own name (`node` in callengine.toml). If that worker is gone for good: "
        f"SELECT pg_terminate_backend({pid})"
    )


def key(text: str) -> int:
    """A positive int4."""
    return zlib.crc32(text.encode()) & 0x7FFF_FFFF


def place_of(journal: Path) -> str:
    """The journal's folder and host, which two live journals never have in common."""
    machine = ""
    with suppress(OSError):
        machine = Path("/etc/machine-id").read_text("ascii").strip()
    return f"{machine} {socket.gethostname()} {journal.resolve()}"
