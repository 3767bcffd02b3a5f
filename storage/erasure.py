"""Erasing a caller: the rows lose the number, their audio is destroyed, and then the tables are rewritten.

    asked -> rows without the number, audio due -> journals without it -> audio destroyed
          -> no transaction left that saw it -> tables rewritten -> old WAL gone -> certificate

Every step is repeated until nothing is left to do: a row that comes back, from a journal that is drained
again or by a correction, is erased again, and the tables are rewritten again. Calls under a legal hold keep
their number and audio until the hold ends.
"""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Self

import asyncpg

from journal.fault import point
from storage.certificates import Certificate
from storage.certificates import add as add_certificate
from storage.rotation import switch_wal

BATCH = 500  # calls in a transaction
TABLES = ("dead_letter", "message", "call")  # the largest last
REWRITE_SECONDS = 3600.0

LOOK_AGAIN = "DELETE FROM erased_journal WHERE erasure_id = $1"
UNFINISHED = """
SELECT erasure_id, caller_hash, sealed, until FROM erasure WHERE finished_at IS NULL ORDER BY erasure_id
"""
COUNT = "SELECT count(*) FROM erasure WHERE finished_at IS NULL"

# The record counts as changed (`stored_in`): a program that exports what is new gets it without the number.
# $1 the erasure, $2 the spellings of the number, $3 until when, $4 how many
ERASE = """
WITH erased AS (
    UPDATE call SET caller = NULL, stored_in = pg_current_xact_id() WHERE call_id IN (
        SELECT call_id FROM call
        WHERE caller = ANY($2) AND began <= $3
            AND NOT EXISTS (SELECT FROM audio WHERE audio.call_id = call.call_id AND hold IS NOT NULL)
        ORDER BY call_id LIMIT $4 FOR UPDATE OF call)
    RETURNING call_id
), known AS (
    INSERT INTO erased_call (erasure_id, call_id) SELECT $1, call_id FROM erased ON CONFLICT DO NOTHING
), due AS (
    UPDATE audio SET destroy_after = least(destroy_after, now()), reason = 'erasure',
        next_at = least(next_at, now())
    FROM erased WHERE audio.call_id = erased.call_id AND hold IS NULL AND state IN ('recorded', 'stored')
), given_up AS (
    UPDATE outbox SET refused_at = now(), reply = 'the caller was erased'
    FROM erased JOIN message USING (call_id)
    WHERE outbox.message_id = message.message_id AND message.kind = 'voicemail'
        AND accepted_at IS NULL AND refused_at IS NULL
)
SELECT count(*) FROM erased
"""
ERASE_MESSAGES = """
WITH erased AS (
    UPDATE message SET caller = NULL
    WHERE caller = ANY($1) AND began <= $2
        AND NOT EXISTS (SELECT FROM audio WHERE audio.call_id = message.call_id AND hold IS NOT NULL)
    RETURNING message_id
)
SELECT count(*) FROM erased
"""
LETTERS = "SELECT call_id, rev, entries FROM dead_letter WHERE entries LIKE ANY($1)"
ERASE_LETTER = "UPDATE dead_letter SET entries = $3 WHERE call_id = $1 AND rev = $2"
# All that came after the last row was erased has to be done again.
BEGIN_ANEW = """
UPDATE erasure SET calls = calls + $2, messages = messages + $3, dead_letters = dead_letters + $4,
    waits_for = NULL, rewritten_at = NULL, wal = NULL, certified = NULL
WHERE erasure_id = $1
"""

HELD = """
SELECT audio_id FROM audio JOIN call USING (call_id)
WHERE call.caller = ANY($1) AND call.began <= $2 AND hold IS NOT NULL ORDER BY audio_id
"""
HELD_CALLS = """
SELECT DISTINCT call_id::text FROM audio JOIN call USING (call_id)
WHERE call.caller = ANY($1) AND call.began <= $2 AND hold IS NOT NULL
"""

# A transaction that is open when the rows have lost the number may keep their earlier versions in the tables.
# Each holds a lock of its virtual transaction id, which every role may see.
OPEN_TRANSACTIONS = """
UPDATE erasure SET waits_for = ARRAY(
    SELECT virtualtransaction FROM pg_locks WHERE locktype = 'virtualxid' AND pid <> pg_backend_pid())
WHERE erasure_id = $1 AND waits_for IS NULL
"""
TRY_LOCK = "SELECT pg_try_advisory_lock($1)"
UNLOCK = "SELECT pg_advisory_unlock($1)"
LOCK = 0x65726173
REWRITE = "SELECT rewrite_callers($1)"
REWRITTEN = """
UPDATE erasure SET rewritten_at = now(), wal = pg_current_wal_insert_lsn()
WHERE erasure_id = $1 AND waits_for IS NOT NULL
"""

LOOKED = """
INSERT INTO erased_journal (erasure_id, node, left_over) VALUES ($1, $2, $3)
ON CONFLICT (erasure_id, node) DO UPDATE SET left_over = EXCLUDED.left_over, looked_at = now()
"""
IS_CLEAN = "SELECT FROM erased_journal WHERE erasure_id = $1 AND node = $2 AND left_over = 0"

FACTS = """
SELECT erasure.*, now() AS now,
    (SELECT count(*) FROM erased_call JOIN audio USING (call_id)
     WHERE erased_call.erasure_id = $1 AND state = 'destroyed') AS audio
FROM erasure WHERE erasure_id = $1 FOR UPDATE
"""
CERTIFIED = """
UPDATE erasure SET certified = $2, finished_at = CASE WHEN $2 = '{}'::text[] THEN now() END,
    sealed = CASE WHEN $2 = '{}'::text[] THEN NULL ELSE sealed END
WHERE erasure_id = $1
"""
# In the name of the operator who asked for it: the worker only does it.
TELL_OWNERS = """
INSERT INTO access (what, operator, host, owner, detail)
SELECT 'forget', erasure.operator, erasure.host, call.owner,
    'a caller was erased from ' || count(*) || ' calls: certificate ' || $2::bigint
FROM erasure JOIN erased_call USING (erasure_id) JOIN call USING (call_id)
WHERE erasure_id = $1 GROUP BY erasure.operator, erasure.host, call.owner
"""
FORGET_CALLS = "DELETE FROM erased_call WHERE erasure_id = $1"


@dataclass(frozen=True, slots=True)
class Erasure:
    """One that is not finished. `until`: calls that came in later are recorded as usual."""

    erasure_id: int
    caller_hash: str
    sealed: bytes
    until: datetime

    @classmethod
    def of(cls, row: asyncpg.Record) -> Self:
        return cls(**{name: row[name] for name in cls.__dataclass_fields__})


async def unfinished(con: asyncpg.Connection) -> list[Erasure]:
    """All that are not finished, oldest first."""
    return [Erasure.of(row) for row in await con.fetch(UNFINISHED)]


async def count(con: asyncpg.Connection) -> int:
    return int(await con.fetchval(COUNT))


async def erase(con: asyncpg.Connection, erasure: Erasure, spelled: Sequence[str]) -> int:
    """Take the number from the next rows, and schedule their audio; return how many rows.

    Not in a transaction.
    """
    point("erase.before_rows")
    async with con.transaction():
        calls = await con.fetchval(ERASE, erasure.erasure_id, spelled, erasure.until, BATCH)
        messages = await con.fetchval(ERASE_MESSAGES, spelled, erasure.until)
        letters = await _erase_letters(con, erasure, spelled)
        if calls or messages or letters:
            await con.execute(LOOK_AGAIN, erasure.erasure_id)
            await con.execute(BEGIN_ANEW, erasure.erasure_id, calls, messages, letters)
        point("erase.before_commit")
    point("erase.after_rows")
    return int(calls + messages + letters)


async def _erase_letters(con: asyncpg.Connection, erasure: Erasure, spelled: Sequence[str]) -> int:
    changed = 0
    for row in await con.fetch(LETTERS, [f'%"caller":%"{number}"%' for number in spelled]):
        entries = without_caller(row["entries"], spelled, erasure.until)
        if entries != row["entries"]:
            point("erase.before_letter")
            await con.execute(ERASE_LETTER, row["call_id"], row["rev"], entries)
            changed += 1
    return changed


def without_caller(entries: str, spelled: Sequence[str], until: datetime) -> str:
    """The entries of a dead letter without the number, unless its call began later; else the same text."""
    values = json.loads(entries)
    starts = [value for value in values if isinstance(value, dict) and value.get("caller") in spelled]
    for start in starts:
        with suppress(KeyError, TypeError, ValueError):
            if datetime.fromisoformat(start["at"]) > until:
                return entries
        start["caller"] = ""
    return json.dumps(values, separators=(",", ":")) if starts else entries


async def held_calls(con: asyncpg.Connection, erasure: Erasure, spelled: Sequence[str]) -> frozenset[str]:
    """The calls that keep their number, because a recording of them is under a legal hold."""
    rows = await con.fetch(HELD_CALLS, spelled, erasure.until)
    return frozenset(row["call_id"] for row in rows)


async def journal_is_clean(con: asyncpg.Connection, erasure: Erasure, node: str) -> bool:
    """Whether the journal of this node has lost the number since a row was last erased."""
    return await con.fetchrow(IS_CLEAN, erasure.erasure_id, node) is not None


async def looked_at_journal(con: asyncpg.Connection, erasure: Erasure, node: str, left: int) -> None:
    """So many entries in the journal of this node still have the number."""
    point("erase.before_journal")
    await con.execute(LOOKED, erasure.erasure_id, node, left)


async def see_transactions(con: asyncpg.Connection, erasure: Erasure) -> None:
    """Store which transactions are open now that the rows have lost the number. Not in a transaction."""
    point("erase.before_look")
    await con.execute(OPEN_TRANSACTIONS, erasure.erasure_id)


async def rewrite(con: asyncpg.Connection, erasure: Erasure) -> None:
    """Write new files for the tables, where no other worker does so now. Not in a transaction.

    Raises LockNotAvailableError while a long query reads one of the tables: then it is tried again.
    """
    if not await con.fetchval(TRY_LOCK, LOCK):
        return
    try:
        for table in TABLES:
            point("erase.before_rewrite")
            await con.fetchval(REWRITE, table, timeout=REWRITE_SECONDS)
        point("erase.after_rewrite")
        await con.execute(REWRITTEN, erasure.erasure_id)
    finally:
        await con.fetchval(UNLOCK, LOCK)
    await switch_wal(con)


async def certify(con: asyncpg.Connection, erasure: Erasure, spelled: Sequence[str]) -> int:
    """Issue the certificate; the number itself goes now, unless a legal hold keeps calls of it."""
    point("erase.before_certificate")
    async with con.transaction():
        (row,) = await con.fetch(FACTS, erasure.erasure_id)
        held = [it["audio_id"] for it in await con.fetch(HELD, spelled, erasure.until)]
        columns = {name: row[name] for name in Certificate.__dataclass_fields__ if name in row}
        certificate = Certificate(**columns, issued_at=row["now"], held=held)
        seq = await add_certificate(con, certificate)
        await con.execute(CERTIFIED, erasure.erasure_id, held)
        await con.execute(TELL_OWNERS, erasure.erasure_id, seq)
        if not held:
            await con.execute(FORGET_CALLS, erasure.erasure_id)
    point("erase.after_certificate")
    return seq
