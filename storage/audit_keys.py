"""The audit of keys: that they open, and that destroyed ones are gone from the database's files."""

import asyncio

import asyncpg

from storage.finding import Finding, Rule
from storage.key_wrapper import KeyWrapper, MasterKeyError, SealBroken
from storage.keyring import as_bytes
from storage.rotation import GROUPS, open_all

NO_MASTER = "no master_key is configured here: it was not checked whether the keys open"
ROTATE = "check that the worker runs; its log says why keys are not rotated (keys_not_rotated)"
CHECKPOINT = "check checkpoint_timeout: docs/operating.md has the settings that PostgreSQL needs"

RULES = (
    Rule(
        "residue",
        """SELECT count(*) FROM keys.residue WHERE group_id IS NOT NULL AND since < now() - interval '1 hour'
           HAVING count(*) > 0""",
        "after an hour destroyed keys ({}) can still be read in the database's files",
        ROTATE,
    ),
    Rule(
        "residue",
        """SELECT epoch - 1 FROM keys.epoch
           WHERE epoch > 1 AND cleared IS NULL AND began_at < now() - interval '5 minutes'""",
        "the key of epoch {} is over, and has not been overwritten",
        ROTATE,
    ),
    Rule(
        "residue",
        """SELECT epoch - 1 FROM keys.epoch
           WHERE epoch > 1 AND cleared IS NOT NULL AND keys.epoch_key(epoch - 1) <> '{0,0,0,0}'""",
        "the key of epoch {} is marked as overwritten, but exists",
        "somebody has changed the database: check who has the right to",
    ),
    Rule(
        "residue",
        """SELECT epoch - 1 FROM keys.epoch, pg_control_checkpoint()
           WHERE cleared >= redo_lsn AND began_at < now() - interval '30 minutes'""",
        "the key of epoch {} is overwritten, but not in the file: there was no checkpoint for 30 minutes",
        CHECKPOINT,
    ),
    Rule(
        "residue",
        "SELECT DISTINCT encode(master_id, 'hex') FROM keys.residue WHERE master_id IS NOT NULL",
        "keys that an earlier version wrapped by master key {} alone are still in the database's files",
        "replace the master key, and destroy the old one (docs/operating.md)",
    ),
    Rule(
        "residue",
        """SELECT current_setting('wal_recycle') FROM keys.epoch
           WHERE current_setting('wal_recycle')::boolean""",
        "wal_recycle is {}: old WAL, with the keys of ended epochs, is kept for an unknown time",
        "ALTER SYSTEM SET wal_recycle = off; SELECT pg_reload_conf()",
    ),
)

# Half an hour after an epoch has begun, no WAL exists in which its key, or an earlier one, was written.
OLD_WAL = """
SELECT min(name) FROM keys.epoch, pg_ls_waldir()
WHERE epoch > 1 AND name ~ '^[0-9A-F]{24}$'
    AND substring(name FROM 9) <= substring(pg_walfile_name(wal) FROM 9)
    AND began_at < now() - interval '30 minutes'
"""
EPOCH = "SELECT keys.epoch_key(epoch) FROM keys.epoch"
MASTERS = """
SELECT DISTINCT encode(substring(wrapped FROM 1 FOR 4), 'hex') FROM keys.audio_key
WHERE group_id IS NULL AND NOT substring(wrapped FROM 1 FOR 4) = ANY($1)
"""
ANY_KEY = "SELECT EXISTS (SELECT FROM keys.audio_key)"
ADD_MASTER = "add it to `master_key`, after the current one; if it is lost, so is that audio"


async def groups(con: asyncpg.Connection, key_wrapper: KeyWrapper | None) -> list[Finding]:
    """Whether every key of the database is wrapped by a master key that is configured, and opens."""
    if key_wrapper is None:
        return []
    findings = [
        Finding(
            "missing",
            f"keys of an earlier version need master key {row[0]}, which is not configured",
            ADD_MASTER,
        )
        for row in await con.fetch(MASTERS, key_wrapper.known)
    ]
    return [*findings, *await _groups(con, key_wrapper)]


async def unchecked(con: asyncpg.Connection) -> list[Finding]:
    """A finding where there are keys, and no master key to check them with."""
    return [Finding("missing", NO_MASTER, ADD_MASTER)] if await con.fetchval(ANY_KEY) else []


async def _groups(con: asyncpg.Connection, key_wrapper: KeyWrapper) -> list[Finding]:
    """Whether every group key opens. It is checked twice, because an epoch may end in between."""
    for _ in range(2):
        key = await con.fetchval(EPOCH)
        if key is None:
            return []
        wrapped = [row["wrapped"] for row in await con.fetch(GROUPS)]
        try:
            await asyncio.to_thread(open_all, key_wrapper.in_epoch(as_bytes(key)), wrapped)
        except (MasterKeyError, SealBroken) as wrong:
            trouble = str(wrong)
        else:
            return []
    return [Finding("missing", f"keys do not open: {trouble}", "restore the schema keys, or `master_key`")]


async def wal(con: asyncpg.Connection) -> list[Finding]:
    """Whether WAL exists in which keys of ended epochs can be read."""
    try:
        oldest = await con.fetchval(OLD_WAL)
    except asyncpg.InsufficientPrivilegeError:
        remedy = (
            "as superuser, in this database: GRANT EXECUTE ON FUNCTION pg_ls_waldir() TO the worker's role"
        )
        return [Finding("residue", "this role cannot see whether old WAL exists", remedy)]
    if oldest is None:
        return []
    remedy = "check archive_timeout, checkpoint_timeout, wal_keep_size and pg_replication_slots"
    return [Finding("residue", f"WAL file {oldest} still has the keys of ended epochs", remedy)]
