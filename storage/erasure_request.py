"""An operator has a caller erased: the row that the workers act on."""

import asyncpg

from storage.access import Actor, this_process
from storage.erasure import BEGIN_ANEW, LOOK_AGAIN

ASK = """
INSERT INTO erasure (caller_hash, sealed, until, reason, operator, host) VALUES ($1, $2, now(), $3, $4, $5)
ON CONFLICT (caller_hash) WHERE finished_at IS NULL DO UPDATE SET
    until = now(), reason = EXCLUDED.reason, operator = EXCLUDED.operator, host = EXCLUDED.host,
    asked_at = now(), certified = NULL
RETURNING erasure_id
"""


async def ask(
    con: asyncpg.Connection, caller_hash: str, sealed: bytes, reason: str, actor: Actor | None = None
) -> int:
    """Have this caller erased from all stores; return the number of the erasure.

    Where one of the same caller is not finished yet, it begins anew, with the calls that came since.
    """
    actor = actor or this_process()
    async with con.transaction():
        erasure_id = await con.fetchval(ASK, caller_hash, sealed, reason, actor.operator, actor.host)
        await con.execute(LOOK_AGAIN, erasure_id)
        await con.execute(BEGIN_ANEW, erasure_id, 0, 0, 0)
    return int(erasure_id)
