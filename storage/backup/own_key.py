"""A backup's own key and its other objects: while they exist, the keys in its file can be opened."""

import asyncpg

from storage.key_wrapper import KeyWrapper, new_key
from storage.objects import ObjectMissing, Objects

PREFIX = "backup/"

FORGET = "DELETE FROM backup WHERE backup_id = $1"
# Those older than the newest $1 complete ones; a backup that was never finished counts as one of its time.
OLDER = """
SELECT backup_id FROM backup WHERE made_at < (
    SELECT min(made_at) FROM (
        SELECT made_at FROM backup WHERE done_at IS NOT NULL ORDER BY made_at DESC LIMIT $1) AS kept)
"""


class BackupRevoked(Exception):
    """The object store does not have this backup's own key any more."""


def folder_of(backup_id: str) -> str:
    """What the names of its objects begin with."""
    return f"{PREFIX}{backup_id}/"


def name_of(backup_id: str) -> str:
    return f"{folder_of(backup_id)}key"


async def make(objects: Objects, key_wrapper: KeyWrapper, backup_id: str) -> KeyWrapper:
    """Make and store its own key; return a wrapper by master key and own key together."""
    key = new_key()
    await objects.put(name_of(backup_id), key)
    return key_wrapper.in_epoch(key)


async def find(objects: Objects, key_wrapper: KeyWrapper, backup_id: str) -> KeyWrapper:
    """Raises BackupRevoked, ObjectsTrouble."""
    try:
        return key_wrapper.in_epoch(await objects.get(name_of(backup_id)))
    except ObjectMissing:
        raise BackupRevoked(
            f"the object store has no {name_of(backup_id)}: a newer backup has revoked this one, or this is "
            "another object store"
        ) from None


async def revoke_older(con: asyncpg.Connection, objects: Objects, keep: int) -> list[str]:
    """Delete the objects of all backups but the newest `keep`: their own key first, their row at last."""
    revoked = [row["backup_id"] for row in await con.fetch(OLDER, keep)]
    for backup_id in revoked:
        await objects.delete(name_of(backup_id))
        async for stored in objects.all(folder_of(backup_id)):
            await objects.delete(stored.name)
        await con.execute(FORGET, backup_id)
    return revoked
