"""The keys of audio in the database: each encrypted with the key of a group, which is wrapped under an epoch.

The bytes of a deleted row stay in PostgreSQL's files. They become useless when their epoch ends: the epoch's
key is overwritten, and nothing opens any more what was wrapped under that epoch alone
(storage/rotation.py, docs/decisions/017-unrecoverable-keys.md).
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from journal.fault import point
from storage.key_wrapper import KeyWrapper, SealBroken, new_key, open_sealed, seal

GROUP = "group key"  # group keys are bound to this, as an audio's key is to its id
# More keys in a group: fewer groups to rewrap at each rotation, but more keys to encrypt again when one of
# them was destroyed.
GROUP_SIZE = 512
# An epoch may end between a statement's snapshot and its reading of the epoch's key. That cannot happen twice
# in a row: an epoch lasts `key_rotation_minutes`.
TRIES = 3

# A slow worker must not make a key for audio that has been destroyed meanwhile, or is being destroyed now.
WANTS_KEY = """
SELECT FROM audio WHERE audio_id = $1 AND state = 'recorded'
    AND NOT EXISTS (SELECT FROM keys.audio_key WHERE audio_key.audio_id = audio.audio_id)
FOR SHARE OF audio
"""
# Locked until the end of the transaction: no rotation can end this epoch while keys are added to it.
HOLD_EPOCH = "SELECT epoch, keys.epoch_key(epoch) AS key FROM keys.epoch FOR KEY SHARE"
NEWEST_GROUP = """
SELECT group_id, wrapped FROM keys.group_key
WHERE group_id = (SELECT max(group_id) FROM keys.group_key) AND epoch = $1
    AND (SELECT count(*) FROM keys.audio_key WHERE audio_key.group_id = group_key.group_id) < $2
FOR KEY SHARE
"""
NEW_GROUP = "INSERT INTO keys.group_key (epoch, wrapped) VALUES ($1, $2) RETURNING group_id"
ADD = """
INSERT INTO keys.audio_key (audio_id, wrapped, group_id) VALUES ($1, $2, $3)
ON CONFLICT (audio_id) DO NOTHING
"""
FIND = """
SELECT audio_key.wrapped, group_key.wrapped AS group_wrapped, keys.epoch_key(epoch) AS epoch_key
FROM keys.audio_key LEFT JOIN keys.group_key USING (group_id)
WHERE audio_id = $1
"""


@dataclass(frozen=True, slots=True)
class Epoch:
    """The present epoch, locked. `key_wrapper` wraps and opens its group keys."""

    number: int
    key_wrapper: KeyWrapper


@dataclass(frozen=True, slots=True)
class Group:
    """A group of keys, and the key that each of them is encrypted with."""

    group_id: int
    key: bytes


async def make(con: asyncpg.Connection, key_wrapper: KeyWrapper, audio_id: str) -> None:
    """Make a key for this audio, unless it has one or may not have one any more. Not in a transaction."""
    point("store.before_key")
    async with con.transaction():
        if await con.fetchrow(WANTS_KEY, audio_id) is not None:
            group = await open_group(con, await hold_epoch(con, key_wrapper))
            await con.execute(ADD, audio_id, seal(group.key, audio_id, new_key()), group.group_id)
    point("store.after_key")


async def find(con: asyncpg.Connection, key_wrapper: KeyWrapper, audio_id: str) -> bytes | None:
    """The key of this audio; None when it has none. Raises MasterKeyError, SealBroken."""
    for left in reversed(range(TRIES)):
        row = await con.fetchrow(FIND, audio_id)
        if row is None:
            return None
        try:
            return key_in(key_wrapper, row, audio_id)
        except SealBroken:
            if not left:
                raise
    raise AssertionError  # the last try has returned or raised


async def hold_epoch(con: asyncpg.Connection, key_wrapper: KeyWrapper) -> Epoch:
    """Lock the present epoch, so that it cannot end before the caller's transaction; begin the first one.

    A rotation that commits at this moment hides the old row and does not show the new one yet: so look again.
    """
    while (row := await con.fetchrow(HOLD_EPOCH)) is None:
        await con.execute("SELECT keys.begin_epoch(0)")
    return Epoch(row["epoch"], key_wrapper.in_epoch(as_bytes(row["key"])))


async def open_group(con: asyncpg.Connection, epoch: Epoch) -> Group:
    """The group to which keys are added now, in the caller's transaction."""
    row = await con.fetchrow(NEWEST_GROUP, epoch.number, GROUP_SIZE)
    if row is None:
        return await new_group(con, epoch)
    return Group(row["group_id"], epoch.key_wrapper.unwrap(row["wrapped"], GROUP))


async def new_group(con: asyncpg.Connection, epoch: Epoch) -> Group:
    key = new_key()
    return Group(await con.fetchval(NEW_GROUP, epoch.number, epoch.key_wrapper.wrap(key, GROUP)), key)


def key_in(key_wrapper: KeyWrapper, row: asyncpg.Record, audio_id: str) -> bytes:
    """The key in a row of FIND."""
    if row["group_wrapped"] is None:  # from an earlier version, and not moved into a group yet
        return key_wrapper.unwrap(row["wrapped"], audio_id)
    epoch = key_wrapper.in_epoch(as_bytes(row["epoch_key"]))
    return open_sealed(epoch.unwrap(row["group_wrapped"], GROUP), audio_id, row["wrapped"])


def as_bytes(epoch_key: Sequence[int]) -> bytes:
    """An epoch key from its four parts."""
    return struct.pack("<4q", *epoch_key)
