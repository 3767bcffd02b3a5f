"""Dead letters: the entries of calls that could not become a call record, or only an incomplete one."""

import json
from collections.abc import Sequence
from typing import NamedTuple

import asyncpg

ADD = """
INSERT INTO dead_letter (call_id, rev, node, why, entries) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (call_id, rev) DO NOTHING
"""
REASONS = "SELECT call_id, why FROM dead_letter WHERE node = $1 ORDER BY rev"
OF_NODE = "SELECT call_id, rev, entries FROM dead_letter WHERE node = $1 ORDER BY put_here, call_id"


class DeadLetter(NamedTuple):
    """`entries`: a JSON array, as the entries stand in the journal. `rev`: the revision of the call."""

    call_id: str
    rev: int
    entries: str


async def add(
    con: asyncpg.Connection, node: str, call_id: str, *, rev: int, payloads: Sequence[bytes], why: str
) -> None:
    """Store the entries of a call that cannot become a complete record, for an operator to look at."""
    entries = f"[{','.join(as_json(payload) for payload in payloads)}]"
    await con.execute(ADD, plain(call_id), rev, node, plain(why), entries)


async def of_node(con: asyncpg.Connection, node: str) -> list[DeadLetter]:
    """The dead letters of this node, oldest first."""
    return [DeadLetter(row["call_id"], row["rev"], row["entries"]) for row in await con.fetch(OF_NODE, node)]


async def reasons(con: asyncpg.Connection, node: str) -> dict[str, str]:
    """Why calls of this node have dead letters, by call id."""
    return {row["call_id"]: row["why"] for row in await con.fetch(REASONS, node)}


async def count(con: asyncpg.Connection) -> int:
    """How many calls of all nodes have dead letters."""
    return int(await con.fetchval("SELECT count(DISTINCT call_id) FROM dead_letter"))


async def remove(con: asyncpg.Connection, letter: DeadLetter) -> None:
    """Delete it because its call has become a record; in the transaction of that record."""
    await con.execute("DELETE FROM dead_letter WHERE call_id = $1 AND rev = $2", letter.call_id, letter.rev)


def as_json(payload: bytes) -> str:
    """The payload itself if it is JSON, else its characters as a JSON string."""
    text = payload.decode("ascii", "backslashreplace")
    try:
        json.loads(text)
    except ValueError:
        return json.dumps(text)
    return text


def plain(text: str) -> str:
    """The text without the characters that PostgreSQL refuses (NUL, lone surrogates), still readable."""
    return text.encode("ascii", "backslashreplace").decode("ascii").replace("\0", "\\0")
