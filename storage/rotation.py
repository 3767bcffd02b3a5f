"""Rotation: group keys in use are wrapped under a new epoch, and the key of the old epoch is overwritten.

    a key is destroyed: its row is deleted, and a row is added to keys.residue
    -> the other keys of its group are encrypted with the key of a new group, the old group is deleted
    -> epoch n + 1: all groups rewrapped -> committed -> all opened once more -> key of epoch n overwritten

From then on nothing opens the deleted key, wherever its bytes are. After a kill at any point the next worker
continues. The database refuses to overwrite the key of an epoch that a group refers to, and a group refers to
a new epoch only once that epoch's key is committed.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg
import structlog

from journal.fault import point
from storage.key_wrapper import ID_BYTES, KeyWrapper, SealBroken, open_sealed, seal
from storage.keyring import GROUP, GROUP_SIZE, Epoch, Group, as_bytes, hold_epoch, new_group

GROUPS_AT_ONCE = 32  # whose keys are encrypted again in one transaction
KeyOf = Callable[[asyncpg.Record], bytes]
log = structlog.get_logger()

OLDEST_RESIDUE = """
SELECT coalesce(extract(epoch FROM now() - min(since)), 0)::float8
FROM keys.residue WHERE group_id IS NOT NULL
"""

# Also where a master key was replaced: so the old master key is soon not needed any more.
DUE = """
SELECT now() FROM keys.epoch WHERE began_at <= now() - $1::interval AND (
    EXISTS (SELECT FROM keys.residue WHERE group_id IS NOT NULL)
    OR EXISTS (SELECT FROM keys.group_key WHERE substring(wrapped FROM 1 FOR 4) <> $2))
"""

DIRTY = """
SELECT group_id, wrapped FROM keys.group_key
WHERE group_id IN (SELECT group_id FROM keys.residue WHERE since <= $1)
ORDER BY group_id LIMIT $2 FOR UPDATE
"""
KEYS_OF = "SELECT audio_id, wrapped, group_id FROM keys.audio_key WHERE group_id = ANY($1) ORDER BY audio_id"
MOVE = """
UPDATE keys.audio_key SET wrapped = moved.wrapped, group_id = $3
FROM unnest($1::text[], $2::bytea[]) AS moved (audio_id, wrapped) WHERE audio_key.audio_id = moved.audio_id
"""
DROP_GROUPS = "DELETE FROM keys.group_key WHERE group_id = ANY($1)"

LOCK = "LOCK TABLE keys.epoch IN SHARE ROW EXCLUSIVE MODE"
# Waits for transactions that add keys to this epoch, and blocks new ones.
PRESENT = "SELECT epoch, keys.epoch_key(epoch) AS key FROM keys.epoch FOR UPDATE"
GROUPS = "SELECT group_id, wrapped FROM keys.group_key ORDER BY group_id"
REWRAP = """
UPDATE keys.group_key SET epoch = $3, wrapped = anew.wrapped
FROM unnest($1::bigint[], $2::bytea[]) AS anew (group_id, wrapped) WHERE group_key.group_id = anew.group_id
"""
SETTLED = """
DELETE FROM keys.residue WHERE group_id IS NOT NULL
    AND NOT EXISTS (SELECT FROM keys.group_key WHERE group_key.group_id = residue.group_id)
"""

UNCLEARED = "SELECT epoch, keys.epoch_key(epoch) AS key FROM keys.epoch WHERE epoch > 1 AND cleared IS NULL"

WITHOUT_GROUP = """
SELECT audio_id, wrapped FROM keys.audio_key
WHERE group_id IS NULL AND substring(wrapped FROM 1 FOR 4) = ANY($1) LIMIT $2 FOR UPDATE
"""
# Their old bytes stay in the files, harmless once the master key that wrapped them is destroyed.
LEFT_BEHIND = "INSERT INTO keys.residue (master_id) SELECT unnest($1::bytea[])"
MASTER_GONE = "DELETE FROM keys.residue WHERE master_id <> ALL($1)"


@dataclass(frozen=True, slots=True)
class Rotation:
    """Rotates at most once in `every`, and only when keys were destroyed or a master key was replaced."""

    key_wrapper: KeyWrapper
    every: timedelta

    async def step(self, con: asyncpg.Connection) -> bool:
        """Do the next piece of what is due; False when nothing is. Not in a transaction.

        Raises MasterKeyError, SealBroken (then nothing has been overwritten), asyncpg's errors.
        """
        if await self._clear(con) or await self._adopt(con):
            return True
        now = await con.fetchval(DUE, self.every, self.key_wrapper.current)
        if now is None:
            return False
        while await self._regroup(con, now):
            pass
        return await self._rotate(con)

    async def _adopt(self, con: asyncpg.Connection) -> bool:
        """Move the keys of earlier versions into a group; False when there are none."""
        await con.execute(MASTER_GONE, self.key_wrapper.known)
        if not await con.fetch(WITHOUT_GROUP, self.key_wrapper.known, 1):
            return False
        point("keys.before_adopt")
        async with con.transaction():
            epoch = await hold_epoch(con, self.key_wrapper)
            rows = await con.fetch(WITHOUT_GROUP, self.key_wrapper.known, GROUP_SIZE)
            await move(con, epoch, rows, lambda row: self.key_wrapper.unwrap(row["wrapped"], row["audio_id"]))
            await con.execute(LEFT_BEHIND, list({row["wrapped"][:ID_BYTES] for row in rows}))
        point("keys.after_adopt")
        log.info("keys_grouped", keys=len(rows))
        return True

    async def _regroup(self, con: asyncpg.Connection, until: datetime) -> bool:
        """Encrypt again the remaining keys of some groups of which keys were destroyed before `until`."""
        point("keys.before_regroup")
        async with con.transaction():
            epoch = await hold_epoch(con, self.key_wrapper)
            dirty = await con.fetch(DIRTY, until, GROUPS_AT_ONCE)
            groups = {row["group_id"]: epoch.key_wrapper.unwrap(row["wrapped"], GROUP) for row in dirty}
            rows = await con.fetch(KEYS_OF, list(groups))
            await move(con, epoch, rows, lambda row: open_in(groups[row["group_id"]], row))
            await con.execute(DROP_GROUPS, list(groups))
        point("keys.after_regroup")
        return bool(groups)

    async def _rotate(self, con: asyncpg.Connection) -> bool:
        """Begin the next epoch; False when another worker has just begun it."""
        point("keys.before_rotation")
        async with con.transaction():
            await con.execute(LOCK)
            present = await con.fetchrow(PRESENT)
            if present is None or await con.fetchval(DUE, self.every, self.key_wrapper.current) is None:
                return False
            groups = {row["group_id"]: row["wrapped"] for row in await con.fetch(GROUPS)}
            keys = await asyncio.to_thread(open_all, self._key_wrapper(present["key"]), list(groups.values()))
            number = await con.fetchval("SELECT keys.begin_epoch($1)", present["epoch"])
            key_wrapper = self._key_wrapper(await con.fetchval("SELECT keys.epoch_key($1)", number))
            wrapped = await asyncio.to_thread(wrap_all, key_wrapper, keys)
            await con.execute(REWRAP, list(groups), wrapped, number)
            await con.execute("DELETE FROM keys.epoch WHERE epoch = $1", present["epoch"])
            await con.execute(SETTLED)
        point("keys.after_rotation")
        log.info("epoch_begun", epoch=number, groups=len(groups))
        return True

    async def _clear(self, con: asyncpg.Connection) -> bool:
        """Overwrite the key of the previous epoch, after every group key has been opened without it."""
        if await con.fetchrow(UNCLEARED) is None:
            return False
        point("keys.before_clear")
        async with con.transaction():
            await con.execute(LOCK)
            present = await con.fetchrow(UNCLEARED)
            if present is None:
                return False
            wrapped = [row["wrapped"] for row in await con.fetch(GROUPS)]
            await asyncio.to_thread(open_all, self._key_wrapper(present["key"]), wrapped)
            await con.execute("SELECT keys.end_epoch($1)", present["epoch"] - 1)
        point("keys.after_clear")
        log.info("epoch_key_overwritten", epoch=present["epoch"] - 1)
        await switch_wal(con)
        return True

    def _key_wrapper(self, epoch_key: Sequence[int]) -> KeyWrapper:
        return self.key_wrapper.in_epoch(as_bytes(epoch_key))


async def move(con: asyncpg.Connection, epoch: Epoch, rows: Sequence[asyncpg.Record], key_of: KeyOf) -> None:
    """Move these keys into new groups. A key that is destroyed at this moment stays destroyed."""
    for at in range(0, len(rows), GROUP_SIZE):
        some = rows[at : at + GROUP_SIZE]
        group = await new_group(con, epoch)
        sealed = await asyncio.to_thread(sealed_again, some, key_of, group)
        await con.execute(MOVE, [row["audio_id"] for row in some], sealed, group.group_id)


def sealed_again(rows: Sequence[asyncpg.Record], key_of: KeyOf, group: Group) -> list[bytes]:
    """Encrypt these keys with the key of that group. A key that does not open is left as it is."""
    sealed = []
    for row in rows:
        try:
            sealed.append(seal(group.key, row["audio_id"], key_of(row)))
        except SealBroken:
            log.critical("key_damaged", audio=row["audio_id"])
            sealed.append(row["wrapped"])
    return sealed


def wrap_all(key_wrapper: KeyWrapper, keys: Sequence[bytes]) -> list[bytes]:
    return [key_wrapper.wrap(key, GROUP) for key in keys]


def open_all(key_wrapper: KeyWrapper, wrapped: Sequence[bytes]) -> list[bytes]:
    """Raises MasterKeyError, SealBroken."""
    return [key_wrapper.unwrap(key, GROUP) for key in wrapped]


def open_in(group_key: bytes, row: asyncpg.Record) -> bytes:
    return open_sealed(group_key, row["audio_id"], row["wrapped"])


async def residue_seconds(con: asyncpg.Connection) -> float:
    """The age of the oldest destroyed key whose epoch key is not overwritten yet; 0 when there is none."""
    return float(await con.fetchval(OLDEST_RESIDUE))


async def switch_wal(con: asyncpg.Connection) -> None:
    """Have PostgreSQL close the WAL file that has both epoch keys, so that the next checkpoint removes it.

    Where this role may not do so, `archive_timeout` does (docs/operating.md).
    """
    with suppress(asyncpg.InsufficientPrivilegeError):
        await con.execute("SELECT pg_switch_wal()")
