"""Fill the database with millions of past calls, one every three seconds, as fast as PostgreSQL accepts them.

Each is answered, with one leg; one of ten has a message that was mailed and destroyed, and one of ten a
stored recording. Ids grow with time, as ours do.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

NUMBERS = 10_000
A_PIECE = 500_000
BYTES_A_CALL = 1_600  # of disk, with indexes and the write-ahead log of loading it (measured)

PAST = """
FROM (
    SELECT i, at, (lpad(to_hex(extract(epoch FROM at)::bigint * 1000), 12, '0')
        || '70008' || lpad(to_hex(i), 15, '0'))::uuid AS id
    FROM generate_series($1::bigint, $2::bigint - 1) AS i,
        LATERAL (SELECT timestamptz '2025-01-01 00:00Z' + i * interval '3 s' AS at) AS moment
) AS past
"""
CALLS = f"""
INSERT INTO call (call_id, number, owner, caller, withheld, began, answered, ended, ring_seconds,
    talk_seconds, delivered_to, outcome, ended_by, cause, node, rev)
SELECT id, '+3290' || lpad((i % {NUMBERS})::text, 7, '0'), 'bench', '+32471234567', false,
    at, at + interval '8 s', at + interval '98 s', 8, 90, '+32470000001', 'answered', 'caller', 16, 'past', i
{PAST}
"""
LEGS = f"""
INSERT INTO leg (call_id, place, leg_id, destination, began, ringing, answered, ended, outcome, cause)
SELECT id, 1, id || '-b1', '+32470000001', at, at + interval '1 s', at + interval '8 s',
    at + interval '98 s', 'taken', 16
{PAST}
"""
MESSAGES = f"""
INSERT INTO message (message_id, kind, call_id, owner, number, caller, withheld, began, outcome, deliver,
    state)
SELECT id || '-vm1', 'voicemail', id, 'bench', '+32900000001', '+32471234567', false, at, 'voicemail',
    '{{"to": ["office@bench.example"]}}', 'destroyed'
{PAST} WHERE i % 10 = 1
"""
OUTBOX = f"""
INSERT INTO outbox (message_id, recipient, domain, dated, first_at, next_at, attempts, accepted_at, final)
SELECT id || '-vm1', 'office@bench.example', 'bench.example', at, at, at + interval '1 min', 1, at, true
{PAST} WHERE i % 10 = 1
"""
ATTEMPTS = f"""
INSERT INTO attempt (message_id, recipient, n, at, server, result, reply, tls)
SELECT id || '-vm1', 'office@bench.example', 1, at, 'mail.bench.example', 'accepted', '250 ok',
    'verified TLSv1.3'
{PAST} WHERE i % 10 = 1
"""
SOUNDS = f"""
INSERT INTO audio (audio_id, kind, call_id, owner, node, state, began, ended, how, seconds, bytes, sha256,
    cipher_sha256, destroy_after, reason, next_at, noted_at)
SELECT id || suffix, kind, id, 'bench', 'past', state, at, at + interval '90 s', 'hangup', 90, 480000, 'x',
    'x', at + kept, 'deadline', at, at
{PAST} JOIN (VALUES
    (1, '-vm1', 'message', 'destroyed', interval '0'),
    (2, '-rec1', 'recording', 'stored', interval '10 years')
) AS sound (ending, suffix, kind, state, kept) ON i % 10 = ending
"""
RECORDINGS = f"""
INSERT INTO recording (audio_id, format, ended, keep_seconds, evidence, short_by, silent, clipping)
SELECT id || '-rec1', 'flac', at + interval '90 s', 2592000, '{{}}', 0, false, false
{PAST} WHERE i % 10 = 2
"""
# Two connections, each with about half of the work; foreign keys between them are not checked.
HANDS = ((CALLS,), (LEGS, MESSAGES, OUTBOX, ATTEMPTS, SOUNDS, RECORDINGS))
TABLES = ("call", "leg", "message", "outbox", "attempt", "audio", "recording")

LOOSE = """
SELECT indexname AS name, indexdef AS made FROM pg_indexes WHERE tablename = ANY($1)
    AND NOT EXISTS (SELECT FROM pg_constraint WHERE conname = indexname)
"""
IN_A_HURRY = {"max_wal_size": "8GB", "checkpoint_timeout": "30min", "autovacuum": "off"}


def has_room(folder: Path, calls: int) -> bool:
    """Whether the disk has room for so many calls: a quarter more than measured."""
    folder.mkdir(parents=True, exist_ok=True)
    return shutil.disk_usage(folder).free > 1.25 * BYTES_A_CALL * calls


async def fill(url: str, there: int, size: int) -> None:
    """Fill up from `there` to `size` calls, then vacuum, analyse and checkpoint."""
    con = await asyncpg.connect(url)
    try:
        async with hurrying(con), without_indexes(con):
            await asyncio.gather(*(hand(url, work, there, size) for work in HANDS))
        await con.execute(f"VACUUM (ANALYZE) {', '.join(TABLES)}")
        await con.execute("CHECKPOINT")
    finally:
        await con.close()


async def hand(url: str, work: tuple[str, ...], there: int, size: int) -> None:
    con = await asyncpg.connect(url)
    try:
        await con.execute("SET session_replication_role = replica; SET synchronous_commit = off")
        for start in range(there, size, A_PIECE):
            for statement in work:
                await con.execute(statement, start, min(start + A_PIECE, size))
    finally:
        await con.close()


@asynccontextmanager
async def hurrying(con: asyncpg.Connection) -> AsyncIterator[None]:
    for name, value in IN_A_HURRY.items():
        await con.execute(f"ALTER SYSTEM SET {name} = '{value}'")
    await con.execute("SELECT pg_reload_conf()")
    yield
    for name in IN_A_HURRY:
        await con.execute(f"ALTER SYSTEM RESET {name}")
    await con.execute("SELECT pg_reload_conf()")


@asynccontextmanager
async def without_indexes(con: asyncpg.Connection) -> AsyncIterator[None]:
    """Create indexes that are not keys afterwards, which takes a tenth of the time."""
    loose = await con.fetch(LOOSE, TABLES)
    for index in loose:
        await con.execute(f"DROP INDEX {index['name']}")
    yield
    await con.execute("SET maintenance_work_mem = '512MB'")
    for index in loose:
        await con.execute(index["made"])
