"""What an erasure still waits for, in sentences. The worker goes on when it waits for nothing."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg

ALL = "SELECT * FROM erasure WHERE $1::bigint IS NULL OR erasure_id = $1 ORDER BY erasure_id"
# A node whose state folder was made anew has several journals: only the newest is there.
JOURNALS = """
SELECT drained.node, left_over
FROM (SELECT DISTINCT node FROM journal) AS drained
LEFT JOIN erased_journal ON erased_journal.node = drained.node AND erased_journal.erasure_id = $1
WHERE left_over IS DISTINCT FROM 0 ORDER BY drained.node
"""
AUDIO = """
SELECT count(*) FROM erased_call JOIN audio USING (call_id)
WHERE erased_call.erasure_id = $1 AND state <> 'destroyed'
"""
TRANSACTIONS = """
SELECT count(*) FROM pg_locks JOIN erasure ON virtualtransaction = ANY(waits_for)
WHERE locktype = 'virtualxid' AND erasure_id = $1
"""
CHECKPOINT = "SELECT redo_lsn > wal FROM erasure, pg_control_checkpoint() WHERE erasure_id = $1"
OLD_WAL = """
SELECT count(*) FROM erasure, pg_ls_waldir()
WHERE erasure_id = $1 AND name ~ '^[0-9A-F]{24}$'
    AND substring(name FROM 9) <= substring(pg_walfile_name(wal) FROM 9)
"""


async def before_rewrite(con: asyncpg.Connection, erasure_id: int) -> AsyncIterator[str]:
    """Why the tables cannot be rewritten yet. Nothing: they can."""
    for row in await con.fetch(JOURNALS, erasure_id):
        if row["left_over"] is None:
            yield f"the worker of node {row['node']} has not looked through its journal yet"
        else:
            yield (
                f"{row['left_over']} entries in the journal of node {row['node']} are of calls that live, "
                "or are not in the database yet"
            )
    if audio := await con.fetchval(AUDIO, erasure_id):
        yield f"{audio} messages or recordings are not destroyed yet"
    if open_ones := await con.fetchval(TRANSACTIONS, erasure_id):
        yield f"{open_ones} transactions of the database are open since before"


async def after_rewrite(con: asyncpg.Connection, erasure_id: int) -> AsyncIterator[str]:
    """Why the number may still be in the database's files. Nothing: it is not."""
    if not await con.fetchval(CHECKPOINT, erasure_id):
        yield "PostgreSQL has not made a checkpoint since the tables were rewritten"
        return
    try:
        files = await con.fetchval(OLD_WAL, erasure_id)
    except asyncpg.InsufficientPrivilegeError:  # audit says so
        return
    if files:
        yield f"{files} WAL files of before exist until the next checkpoint"


async def waits(con: asyncpg.Connection, row: asyncpg.Record) -> list[str]:
    """All that this row of `erasure` waits for."""
    if row["finished_at"] is not None:
        return []
    if row["certified"]:
        return [f"{audio_id} is under a legal hold" for audio_id in row["certified"]]
    if row["rewritten_at"] is None:
        reasons = [why async for why in before_rewrite(con, row["erasure_id"])]
        return reasons or ["the tables are about to be rewritten"]
    reasons = [why async for why in after_rewrite(con, row["erasure_id"])]
    return reasons or ["the certificate is about to be issued"]


async def overview(con: asyncpg.Connection, erasure_id: int | None = None) -> list[dict[str, Any]]:
    """All erasures, or one: its columns without the number, and `waits`."""
    return [
        {name: value for name, value in row.items() if name not in ("sealed", "waits_for", "wal")}
        | {"waits": await waits(con, row)}
        for row in await con.fetch(ALL, erasure_id)
    ]
