"""The audit of backups: whether this database is an older copy, by what is published of later decisions."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg

from storage.backup import erasures, own_key, since
from storage.erased_number import NumberKeys
from storage.finding import Finding
from storage.key_wrapper import KeyWrapper, MasterKeyError, SealBroken
from storage.objects import Objects

ABANDONED = timedelta(hours=1)
KNOWN = "SELECT backup_id FROM backup"
LATE = """
SELECT backup_id FROM backup WHERE EXISTS (
    SELECT FROM tombstone WHERE seq > published AND destroyed_at < now() - interval '10 minutes')
"""
LATE_ERASURE = """
SELECT erasure_id FROM erasure
WHERE published IS DISTINCT FROM until AND asked_at < now() - interval '10 minutes' ORDER BY erasure_id
"""
# These the audit of erasures knows, or a worker is at them.
KNOWN_ERASURES = """
SELECT caller_hash FROM erasure_certificate UNION SELECT caller_hash FROM erasure WHERE finished_at IS NULL
"""
PUBLISH = "check that the worker runs and the object store works; its log has destructions_not_published"
HASH = "SELECT hash FROM tombstone WHERE seq = $1"
OLDER_COPY = (
    "this database is an older copy, without what was destroyed since: stop the workers, and restore the "
    "backup into an empty database by callengine restore, which destroys it again"
)


async def of_backups(
    con: asyncpg.Connection, objects: Objects, key_wrapper: KeyWrapper | None
) -> AsyncIterator[Finding]:
    """Raises ObjectsTrouble, asyncpg's errors."""
    known = {row["backup_id"] for row in await con.fetch(KNOWN)}
    stored = {}
    async for each in objects.all(own_key.PREFIX):
        if not each.name.startswith(erasures.PREFIX):
            stored[each.name.split("/")[1]] = each.at
    for row in await con.fetch(LATE):
        yield Finding(
            "backup",
            f"what was destroyed since backup {row['backup_id']} is not in the object store",
            PUBLISH,
        )
    for backup_id, at in sorted(stored.items()):
        if backup_id not in known and datetime.now(UTC) - at > ABANDONED:
            remedy = f"delete {own_key.folder_of(backup_id)} in the store, unless another database has it"
            yield Finding("orphan", f"backup {backup_id} in the store is not known here", remedy)
    if key_wrapper is not None:
        for backup_id in sorted(stored):
            async for finding in _of_copy(con, objects, key_wrapper, backup_id):
                yield finding


async def _of_copy(
    con: asyncpg.Connection, objects: Objects, key_wrapper: KeyWrapper, backup_id: str
) -> AsyncIterator[Finding]:
    """Whether the newest published tombstone is in this database: it would not be in one of yesterday."""
    try:
        own = await own_key.find(objects, key_wrapper, backup_id)
        tombstones = (await since.find(objects, own, backup_id)).tombstones
    except own_key.BackupRevoked:
        return
    except (MasterKeyError, SealBroken) as wrong:
        yield Finding("backup", f"backup {backup_id} cannot be restored: {wrong}", "make a new one")
        return
    if tombstones and await con.fetchval(HASH, tombstones[-1]["seq"]) != tombstones[-1]["hash"]:
        yield Finding("chain", f"a tombstone published for backup {backup_id} is missing", OLDER_COPY)


async def of_erasures(
    con: asyncpg.Connection, objects: Objects, key_wrapper: KeyWrapper, keys: NumberKeys
) -> AsyncIterator[Finding]:
    """Whether a number is here whose erasure only the object store knows.

    Raises ObjectsTrouble, asyncpg's errors.
    """
    for row in await con.fetch(LATE_ERASURE):
        yield Finding("backup", f"erasure {row['erasure_id']} is not in the object store", PUBLISH)
    published = await erasures.find(objects, key_wrapper)
    known = {row["caller_hash"] for row in await con.fetch(KNOWN_ERASURES)}
    for _, erased in await erasures.came_back(con, published, keys):
        if erased.caller_hash not in known:
            yield Finding(
                "erasure",
                f"the number erased on {erased.asked_at:%Y-%m-%d} ({erased.reason}) is in a record of before",
                "a copy of the database or of a journal was restored: callengine forget it again",
            )
