"""Restoring a backup into an empty database: records, then keys, but for what was decided since.

Audio that was destroyed, recordings that were held and callers who were erased after the backup: the object
store has these decisions, and a restore repeats them.
"""

import asyncio
from dataclasses import dataclass
from itertools import batched
from typing import BinaryIO, cast

import asyncpg

from storage import audio_states, message_states
from storage.backup import erasures, own_key, since
from storage.backup.archive import Archive, ArchiveUnusable
from storage.backup.contents import LEFT_OUT, TABLES, member_of
from storage.erased_number import NumberKeys
from storage.grants import Roles
from storage.key_wrapper import KeyWrapper, seal
from storage.keyring import GROUP_SIZE, hold_epoch, new_group
from storage.migrate import migrate, migrate_to, migrations
from storage.objects import Objects, ObjectsTrouble
from storage.tombstones import NOTHING, Head, misfit

IN_USE = "SELECT to_regclass('public.migration') IS NOT NULL OR to_regnamespace('keys') IS NOT NULL"
LAST = "SELECT seq, hash FROM tombstone ORDER BY seq DESC LIMIT 1"
IDENTITIES = """
SELECT quote_ident(table_name) AS name, quote_ident(column_name) AS key FROM information_schema.columns
WHERE table_schema = 'public' AND is_identity = 'YES'
"""
ADD_TOMBSTONE = """
INSERT INTO tombstone (audio_id, kind, owner, began, destroy_after, destroyed_at, reason, method, versions,
    cipher_sha256, seq, prev, hash)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
"""
TOMBSTONE_COLUMNS = (
    "audio_id", "kind", "owner", "began", "destroy_after", "destroyed_at", "reason", "method", "versions",
    "cipher_sha256", "seq", "prev", "hash",
)  # fmt: skip
# Nothing is mailed any more of what was destroyed since; of what the backup itself has, nothing changes.
SETTLE_MAIL = """
UPDATE outbox SET
    accepted_at = CASE WHEN reason = 'delivered' THEN destroyed_at END, final = (reason = 'delivered'),
    refused_at = CASE WHEN reason <> 'delivered' THEN destroyed_at END,
    reply = 'its message was destroyed after the backup that was restored'
FROM tombstone
WHERE audio_id = message_id AND message_id = ANY($1) AND accepted_at IS NULL AND refused_at IS NULL
"""
HOLD_COLUMNS = (
    "audio_id", "held_at", "reason", "reference", "by_one", "by_other", "review_on", "released_at",
    "released_by",
)  # fmt: skip
PUT_HOLD = """
INSERT INTO legal_hold
    (audio_id, held_at, reason, reference, by_one, by_other, review_on, released_at, released_by)
SELECT audio_id, $2, $3, $4, $5, $6, $7, $8, $9 FROM audio WHERE audio_id = $1
ON CONFLICT (audio_id, held_at) DO UPDATE
    SET released_at = EXCLUDED.released_at, released_by = EXCLUDED.released_by
"""
SET_HOLDS = """
UPDATE audio SET hold = (
    SELECT reference FROM legal_hold WHERE legal_hold.audio_id = audio.audio_id AND released_at IS NULL)
WHERE kind = 'recording' AND state IN ('recorded', 'stored')
"""
END_HOLDS = """
UPDATE legal_hold SET released_at = destroyed_at, released_by = 'restore' FROM tombstone
WHERE tombstone.audio_id = legal_hold.audio_id AND released_at IS NULL
"""
MAY_LIVE = "SELECT audio_id FROM audio WHERE audio_id = ANY($1) AND state IN ('recorded', 'stored')"
STILL_USABLE = """
INSERT INTO backup (backup_id, node, made_at, done_at, published, holds_at) SELECT $1, $2, $3, $3,
    coalesce((SELECT max(seq) FROM tombstone), 0), now() - interval '5 minutes'
"""


class NotEmpty(Exception):
    """The database has tables of callengine already: restore into an empty one."""


@dataclass(frozen=True, slots=True)
class Restored:
    """`destroyed`: how much audio of the backup, or of later, was destroyed after it.

    `erased`: how many callers are erased again; None: it is not known who was erased since. `unreadable`:
    erasures under a master key that is not configured.
    """

    records: int
    keys: int
    destroyed: int
    head: Head
    erased: int | None
    unreadable: int


@dataclass(frozen=True, slots=True)
class Sources:
    """The file; and what opens its keys, and what was destroyed and erased since; None: no master key.

    `with_audio` False: restore the records alone. `country`: of callers in national form.
    """

    archive: Archive
    objects: Objects
    key_wrapper: KeyWrapper | None
    number_keys: NumberKeys | None
    with_audio: bool = True
    country: str = ""


async def restore(con: asyncpg.Connection, sources: Sources, roles: Roles | None = None) -> Restored:
    """Restore into an empty database, as its owner, in one transaction: all of it or nothing.

    Raises NotEmpty, ArchiveUnusable, BackupRevoked, MasterKeyError, ObjectsTrouble, SealBroken, and
    asyncpg's errors.
    """
    if await con.fetchval(IN_USE):
        raise NotEmpty(
            "this database has tables of callengine already: create an empty one, and restore into it"
        )
    archive = sources.archive
    check_version(archive)
    own, later = await keys_and_later(sources)
    erased = await erased_since(sources)
    await asyncio.to_thread(archive.check)
    async with con.transaction():
        await load(con, archive)
        await migrate(con, roles)
        destroyed = await destroy_again(con, later)
        await hold_again(con, later)
        keys = 0
        if sources.key_wrapper is not None and own is not None:
            keys = await load_keys(con, archive, sources.key_wrapper, own)
            made_at = await con.fetchval("SELECT $1::text::timestamptz", archive.manifest.made_at)
            await con.execute(STILL_USABLE, archive.manifest.backup_id, archive.manifest.node, made_at)
        repeated = None
        if erased is not None and sources.number_keys is not None:
            repeated = await erasures.repeat(con, erased, sources.number_keys, sources.country)
        records = await con.fetchval("SELECT count(*) FROM call")
        unreadable = erased.unreadable if erased else 0
        return Restored(records, keys, destroyed, await head_of(con), repeated, unreadable)


def check_version(archive: Archive) -> None:
    """Raises ArchiveUnusable if a newer version has written the file."""
    known = {migration.name: migration.sha256 for migration in migrations()}
    unknown = [name for name, digest in archive.manifest.migrations.items() if known.get(name) != digest]
    if unknown:
        raise ArchiveUnusable(
            f"it is of a newer version, with {unknown[0]}: install that version, then restore"
        )
    if extra := {table.name for table in archive.manifest.tables} - set(TABLES) - LEFT_OUT:
        raise ArchiveUnusable(f"it has an unknown table, {min(extra)}")


async def keys_and_later(sources: Sources) -> tuple[KeyWrapper | None, since.Since]:
    """The wrapper of the backup's keys, after a check of the file's seal; and what happened since."""
    if sources.key_wrapper is None or not sources.with_audio:
        return None, since.Since([], [])
    backup_id = sources.archive.manifest.backup_id
    own = await own_key.find(sources.objects, sources.key_wrapper, backup_id)
    sources.archive.check_seal(own)
    return own, await since.find(sources.objects, own, backup_id)


async def erased_since(sources: Sources) -> erasures.Published | None:
    """The published erasures; None where records alone are restored, and nobody can say which there are."""
    if sources.key_wrapper is None:
        return None
    try:
        return await erasures.find(sources.objects, sources.key_wrapper)
    except ObjectsTrouble:
        if sources.with_audio:
            raise
        return None


async def load(con: asyncpg.Connection, archive: Archive) -> None:
    """Load every table, in the schema of the backup's time; later migrations then see its rows."""
    await migrate_to(con, archive.manifest.migrations.keys())
    by_name = {table.name: table for table in archive.manifest.tables}
    for name in TABLES:
        if (table := by_name.get(name)) is not None:
            with archive.open(member_of(name)) as source:
                await con.copy_to_table(
                    name, schema_name="public", columns=table.columns, source=cast("BinaryIO", source)
                )
    for name, key in await con.fetch(IDENTITIES):
        highest = f"coalesce((SELECT max({key}) FROM public.{name}), 0)"  # noqa: S608 - from the catalogue
        await con.execute(
            f"SELECT setval(pg_get_serial_sequence('public.{name}', '{key}'), {highest} + 1, false)"
        )


async def destroy_again(con: asyncpg.Connection, later: since.Since) -> int:
    """Continue the chain by the later tombstones; what they name is destroyed, with or without a row.

    Raises ArchiveUnusable where one is missing: then something may have been destroyed that nobody knows of.
    """
    head = await head_of(con)
    new = [row for row in later.tombstones if row["seq"] > head.seq]
    for row in new:
        if wrong := misfit(row, head):
            raise ArchiveUnusable(
                f"what was destroyed since the backup is not complete in the object store: {wrong}; "
                "--without-audio restores the records alone"
            )
        await con.execute(ADD_TOMBSTONE, *(row[column] for column in TOMBSTONE_COLUMNS))
        head = Head(row["seq"], row["hash"])
    audio_ids = [row["audio_id"] for row in new]
    await audio_states.restore_destroyed(con, audio_ids)
    for row in new:
        if row["kind"] == "message":
            await message_states.destroyed(con, row["audio_id"])
    await con.execute(SETTLE_MAIL, audio_ids)
    return len(new)


async def hold_again(con: asyncpg.Connection, later: since.Since) -> None:
    """Apply the later decisions about legal holds. Audio that was stored after the backup has none."""
    for row in later.holds:
        await con.execute(PUT_HOLD, *(row[column] for column in HOLD_COLUMNS))
    await con.execute(END_HOLDS)
    await con.execute(SET_HOLDS)


async def load_keys(con: asyncpg.Connection, archive: Archive, live: KeyWrapper, own: KeyWrapper) -> int:
    """Wrap each key under the new database's epoch, unless its audio is destroyed; return how many."""
    epoch = await hold_epoch(con, live)
    count = 0
    for batch in batched(archive.keys(), GROUP_SIZE, strict=False):
        rows = await con.fetch(MAY_LIVE, [audio_id for audio_id, _ in batch])
        living = {row["audio_id"] for row in rows}
        keys = [
            (audio_id, own.unwrap(wrapped, audio_id)) for audio_id, wrapped in batch if audio_id in living
        ]
        if keys:
            group = await new_group(con, epoch)
            sealed = [(audio_id, seal(group.key, audio_id, key), group.group_id) for audio_id, key in keys]
            columns = ("audio_id", "wrapped", "group_id")
            await con.copy_records_to_table("audio_key", schema_name="keys", columns=columns, records=sealed)
        count += len(keys)
    return count


async def head_of(con: asyncpg.Connection) -> Head:
    last = await con.fetchrow(LAST)
    return Head(last["seq"], last["hash"]) if last else Head(0, NOTHING)
