"""Destruction: the key first, then every copy, then a tombstone.

    stored --------> (key deleted) shredded -> (object and file deleted) -> tombstone, destroyed
    recorded, absent -----------> shredded

From `shredded` on nobody can hear stored audio again, even while the object store is away. Of audio that was
never stored, the plain file is deleted in the same attempt.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime

import asyncpg
import structlog

from journal.fault import point
from storage import audio_states, message_states
from storage.audio_states import AudioState
from storage.encrypted_store import object_name
from storage.lease import CLAIM, FREE, Audio, claim, release
from storage.objects import Objects, ObjectsTrouble
from storage.spool import Spool
from storage.tombstones import Tombstone, add

log = structlog.get_logger()

# Keys go before objects, so that no key waits for an object store that is away. Only the node that has a
# plain file can delete it. Audio that is being sealed is claimed all the same: where the object store hangs,
# an attempt at sealing takes a minute, and the next attempt may take another one.
TO_SHRED = CLAIM.format(
    due=f"""state IN ('recorded', 'stored', 'absent') AND hold IS NULL AND destroy_after <= now()
           AND (state = 'stored' OR node = $1) AND (state = 'recorded' OR {FREE})""",
    first="destroy_after",
)
TO_CLEAR = CLAIM.format(
    due=f"state = 'shredded' AND (cipher_sha256 IS NOT NULL OR node = $1) AND {FREE}", first="next_at"
)

SCHEDULE_DESTRUCTION = """
UPDATE audio SET destroy_after = $2, reason = $3, next_at = least(next_at, now())
WHERE audio_id = $1 AND state IN ('recorded', 'stored')
"""
CANCEL_DESTRUCTION = """
UPDATE audio SET destroy_after = NULL, reason = NULL
WHERE audio_id = $1 AND state = 'stored' RETURNING audio_id
"""

OVERDUE = """
SELECT count(*) FROM audio WHERE state IN ('stored', 'shredded', 'absent')
    AND hold IS NULL AND destroy_after < now() - interval '1 minute'
"""
DELETE_KEY = "DELETE FROM keys.audio_key WHERE audio_id = $1"
TO_BE_CLEARED_NOW = """
UPDATE audio SET lease_until = NULL, attempts = 0, next_at = now()
WHERE audio_id = $1 AND attempts = $2 AND state = 'shredded'
"""


async def schedule_destruction(con: asyncpg.Connection, audio_id: str, after: datetime, reason: str) -> None:
    """Have this audio destroyed after an instant (of PostgreSQL's clock), for that reason; a hold wins."""
    await con.execute(SCHEDULE_DESTRUCTION, audio_id, after, reason)


async def cancel_destruction(con: asyncpg.Connection, audio_id: str) -> bool:
    """Take the deadline off audio that is to be mailed again; False when it is not stored any more."""
    return await con.fetchval(CANCEL_DESTRUCTION, audio_id) is not None


async def overdue(con: asyncpg.Connection) -> int:
    """How much audio of all nodes should have been destroyed a minute ago or earlier."""
    return int(await con.fetchval(OVERDUE))


@dataclass(frozen=True, slots=True)
class Destroyer:
    """Destroys what is due: stored audio of every node, plain files of this one."""

    node: str
    spool: Spool
    objects: Objects

    async def destroy_next(self, con: asyncpg.Connection) -> bool:
        """Destroy the next audio that is due, or as much of it as can be now; False when none is due.

        Not in a transaction. Raises asyncpg's errors.
        """
        audio = await claim(con, TO_SHRED, self.node) or await claim(con, TO_CLEAR, self.node)
        if audio is None:
            return False
        point("destroy.after_claim")
        try:
            await self._destroy(con, audio)
        except (ObjectsTrouble, OSError) as trouble:
            log.warning(
                "destruction_deferred", audio=audio.audio_id, attempts=audio.attempts, error=str(trouble)
            )
            await release(con, audio)
        return True

    async def shred_next(self, con: asyncpg.Connection) -> bool:
        """Only make the next audio that is due unreadable, without the object store; False when none is due.

        So no key waits for an object store that is slow. Not in a transaction. Raises asyncpg's errors.
        """
        audio = await claim(con, TO_SHRED, self.node)
        if audio is None:
            return False
        if not await self._shred(con, audio):
            await release(con, audio)
            return True
        try:
            await self._remove_plain(audio)
        except OSError as trouble:
            log.warning("plain_file_not_removed", audio=audio.audio_id, error=str(trouble))
        await con.execute(TO_BE_CLEARED_NOW, audio.audio_id, audio.attempts)
        return True

    async def _destroy(self, con: asyncpg.Connection, audio: Audio) -> None:
        if audio.state is not AudioState.SHREDDED and not await self._shred(con, audio):
            await release(con, audio)
            return
        await self._remove_plain(audio)
        point("destroy.before_delete")
        versions = await self.objects.delete(object_name(audio.kind, audio.audio_id))
        point("destroy.after_delete")
        point("destroy.before_tombstone")
        async with con.transaction():
            await self._write_tombstone(con, audio, versions)
        point("destroy.after_tombstone")
        log.info("audio_destroyed", audio=audio.audio_id, reason=audio.reason, versions=versions)

    async def _remove_plain(self, audio: Audio) -> None:
        if audio.node == self.node:  # another node's spool is swept by its own worker
            await asyncio.to_thread(self.spool.remove, audio.audio_id)

    async def _shred(self, con: asyncpg.Connection, audio: Audio) -> bool:
        """Delete its key; False when it is not due any more: it was put under a hold since it was claimed."""
        point("destroy.before_shred")
        async with con.transaction():
            if not await audio_states.shred(con, audio.audio_id):
                return False
            await con.execute(DELETE_KEY, audio.audio_id)
        point("destroy.after_shred")
        return True

    async def _write_tombstone(self, con: asyncpg.Connection, audio: Audio, versions: int) -> None:
        row = await audio_states.destroy(con, audio.audio_id)
        if row is None:  # this worker was stopped for longer than its lease, and another one has destroyed it
            return
        await message_states.destroyed(con, audio.audio_id)
        # The row as it is now: it may have been stored after it was claimed, just when it became due.
        await add(con, tombstone_of(Audio.of(row), row["at"], versions))


def tombstone_of(audio: Audio, at: datetime, versions: int) -> Tombstone:
    return Tombstone(
        audio_id=audio.audio_id,
        kind=audio.kind,
        owner=audio.owner,
        began=audio.began,
        destroy_after=audio.destroy_after,
        destroyed_at=at,
        reason=audio.reason or "deadline",
        method="file" if audio.cipher_sha256 is None else "key+object",
        versions=versions,
        cipher_sha256=audio.cipher_sha256,
    )
