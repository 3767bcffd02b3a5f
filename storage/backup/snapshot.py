"""Making a backup: one moment of the database, and the keys of that moment."""

import json
import math
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, cast

import asyncpg

from storage.backup import own_key
from storage.backup.archive import KEYS, ArchiveWriter, Manifest, Table, written
from storage.backup.contents import TABLES, member_of
from storage.key_wrapper import KeyWrapper, open_sealed
from storage.keyring import GROUP, HOLD_EPOCH, as_bytes
from storage.objects import Objects
from storage.rows import FETCHED

TRIES = 5  # an epoch that begins between the snapshot and the lock on it makes PostgreSQL refuse the lock

# A decision about a hold may be committed some seconds after its instant.
BEGIN = """
INSERT INTO backup (backup_id, node, published, holds_at)
VALUES ($1, $2, coalesce((SELECT max(seq) FROM tombstone), 0), now() - interval '5 minutes')
"""
DONE = "UPDATE backup SET done_at = now() WHERE backup_id = $1"
MIGRATIONS = "SELECT name, sha256 FROM migration ORDER BY name"
HEAD = "SELECT seq || ':' || hash FROM tombstone ORDER BY seq DESC LIMIT 1"
# Transactions have other numbers in another database.
COLUMNS = """
SELECT column_name FROM information_schema.columns
WHERE table_schema = 'public' AND table_name = $1 AND data_type <> 'xid8' ORDER BY ordinal_position
"""
AGE = "SELECT extract(epoch FROM now() - max(done_at))::float8 FROM backup"
# Only of audio that must live: what is due is destroyed, whether or not the worker has come to it.
LIVING = """
SELECT audio_id, audio_key.wrapped, group_id, group_key.wrapped AS group_wrapped,
    keys.epoch_key(epoch) AS epoch_key
FROM keys.audio_key JOIN audio USING (audio_id) LEFT JOIN keys.group_key USING (group_id)
WHERE state IN ('recorded', 'stored') AND (destroy_after IS NULL OR destroy_after > now() OR hold IS NOT NULL)
ORDER BY group_id, audio_id
"""


@dataclass(frozen=True, slots=True)
class Backup:
    """A complete backup. `revoked`: the earlier ones whose keys nobody can use any more."""

    backup_id: str
    file: Path
    keys: int
    head: str
    revoked: list[str]


@dataclass(frozen=True, slots=True)
class Plan:
    """`out`: the file if `named`, else the folder. `keep`: how many backups can be used at a time."""

    node: str
    out: Path
    named: bool
    keep: int

    def file(self, backup_id: str) -> Path:
        return self.out if self.named else self.out / f"callengine-{backup_id}.backup"


async def make(con: asyncpg.Connection, objects: Objects, key_wrapper: KeyWrapper, plan: Plan) -> Backup:
    """Write a backup, then revoke all but the newest `keep`.

    Not in a transaction. Raises ObjectsTrouble, MasterKeyError, SealBroken, OSError, asyncpg's errors; then
    no file has appeared, and earlier backups can still be used.
    """
    backup_id = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
    file = plan.file(backup_id)
    await con.execute(BEGIN, backup_id, plan.node)
    of_backup = await own_key.make(objects, key_wrapper, backup_id)
    with written(file) as archive:
        manifest = await write(con, archive, Wrappers(key_wrapper, of_backup), backup_id, plan.node)
        archive.finish(manifest, of_backup)
    await con.execute(DONE, backup_id)
    revoked = await own_key.revoke_older(con, objects, plan.keep)
    return Backup(backup_id, file, manifest.keys, manifest.head, revoked)


async def age_seconds(con: asyncpg.Connection) -> float:
    """How long ago the newest backup was complete; infinite if there is none."""
    age = await con.fetchval(AGE)
    return math.inf if age is None else float(age)


@dataclass(frozen=True, slots=True)
class Wrappers:
    """`live` opens the database's keys, `own` wraps them for the backup."""

    live: KeyWrapper
    own: KeyWrapper


async def write(
    con: asyncpg.Connection, archive: ArchiveWriter, wrappers: Wrappers, backup_id: str, node: str
) -> Manifest:
    """Write keys and tables as of one moment."""
    for left in reversed(range(TRIES)):
        try:
            async with con.transaction(isolation="repeatable_read"):
                await con.fetchrow(HOLD_EPOCH)  # no rotation ends this epoch while its keys are read
                return await write_all(con, archive, wrappers, backup_id, node)
        except asyncpg.SerializationError:
            if not left:
                raise
    raise AssertionError  # the last try has returned or raised


async def write_all(
    con: asyncpg.Connection, archive: ArchiveWriter, wrappers: Wrappers, backup_id: str, node: str
) -> Manifest:
    migrations = {row["name"]: row["sha256"] for row in await con.fetch(MIGRATIONS)}
    head = await con.fetchval(HEAD) or ""
    manifest = Manifest(backup_id, datetime.now(UTC).isoformat(), node, head, migrations)
    with archive.member(KEYS) as member:
        async for audio_id, key in living(con, wrappers.live):
            wrapped = wrappers.own.wrap(key, audio_id).hex()
            member.write(json.dumps({"audio_id": audio_id, "wrapped": wrapped}).encode() + b"\n")
            manifest.keys += 1
        manifest.keys_sha256 = member.sha256
    for name in TABLES:
        columns = [row[0] for row in await con.fetch(COLUMNS, name)]
        with archive.member(member_of(name)) as member:
            await con.copy_from_table(
                name, schema_name="public", columns=columns, output=cast("BinaryIO", member)
            )
            manifest.tables.append(Table(name, columns, member.sha256))
    return manifest


async def living(con: asyncpg.Connection, key_wrapper: KeyWrapper) -> AsyncIterator[tuple[str, bytes]]:
    """The id and the key of all audio that must live. Raises MasterKeyError, SealBroken."""
    group_id, group_key = None, b""
    cursor = await con.cursor(LIVING)
    while rows := await cursor.fetch(FETCHED):
        for row in rows:
            if row["group_id"] is None:  # from an earlier version, and not moved into a group yet
                yield row["audio_id"], key_wrapper.unwrap(row["wrapped"], row["audio_id"])
                continue
            if row["group_id"] != group_id:
                epoch = key_wrapper.in_epoch(as_bytes(row["epoch_key"]))
                group_id, group_key = row["group_id"], epoch.unwrap(row["group_wrapped"], GROUP)
            yield row["audio_id"], open_sealed(group_key, row["audio_id"], row["wrapped"])
