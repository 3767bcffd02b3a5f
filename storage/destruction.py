"""Destruction: the key first, then every copy, then a tombstone.

    stored --------> (key deleted) shredded -> (object, file gone) -> tombstone, destroyed
    recorded, absent -----------> shredded

From `shredded` on a stored sound cannot be heard again, even while the object store is away; of one that was
never stored, the plain file goes right then.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime

import asyncpg
import structlog

from journal.fault import point
from storage.encrypted_store import object_name
from storage.lease import CLAIM, FREE, Audio, claim, let_go
from storage.objects import Objects, ObjectsTrouble
from storage.spool import Spool
from storage.tombstones import Tombstone, add

log = structlog.get_logger()

# Keys go before objects, so that none of them waits for a store that is away. A plain file can only be
# destroyed by the node that has it, and is taken out of the hands of whoever tries to seal it: where the
# store hangs, that takes a minute, and it may be another one to the next attempt.
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

# A hold may have been put on it since it was claimed. A row lock keeps one from being put on it now.
STILL_DUE = """
SELECT FROM audio WHERE audio_id = $1 AND state IN ('recorded', 'stored', 'absent')
    AND hold IS NULL AND destroy_after <= now() FOR UPDATE
"""

FORGET_KEY = "DELETE FROM keys.audio_key WHERE audio_id = $1"
SHREDDED = "UPDATE audio SET state = 'shredded' WHERE audio_id = $1"
TO_BE_CLEARED_NOW = """
UPDATE audio SET lease_until = NULL, attempts = 0, next_at = now()
WHERE audio_id = $1 AND attempts = $2 AND state = 'shredded'
"""
DESTROYED = """
UPDATE audio SET state = 'destroyed', lease_until = NULL
WHERE audio_id = $1 AND state = 'shredded' RETURNING now() AS at, *
"""
MESSAGE_DESTROYED = "UPDATE message SET state = 'destroyed' WHERE message_id = $1 AND state <> 'absent'"


async def schedule_destruction(con: asyncpg.Connection, audio_id: str, after: datetime, reason: str) -> None:
    """Have this sound destroyed after an instant (of PostgreSQL's clock), for that reason; a hold wins."""
    await con.execute(SCHEDULE_DESTRUCTION, audio_id, after, reason)


@dataclass(frozen=True, slots=True)
class Destroyer:
    """Destroys what is due: stored sounds of every node, plain files of this one."""

    node: str
    spool: Spool
    objects: Objects

    async def destroy_next(self, con: asyncpg.Connection) -> bool:
        """Destroy the next sound that is due, or as much of it as can be now; False when none is due.

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
                "destruction waits", audio=audio.audio_id, attempts=audio.attempts, error=str(trouble)
            )
            await let_go(con, audio)
        return True

    async def shred_next(self, con: asyncpg.Connection) -> bool:
        """Only make the next sound that is due unreadable, which needs no object store; False when none is.

        So no key waits for a store that takes its time. Not in a transaction. Raises asyncpg's errors.
        """
        audio = await claim(con, TO_SHRED, self.node)
        if audio is None:
            return False
        if not await self._shred(con, audio):
            await let_go(con, audio)
            return True
        try:
            await self._remove_plain(audio)
        except OSError as trouble:
            log.warning("plain sound stays", audio=audio.audio_id, error=str(trouble))
        await con.execute(TO_BE_CLEARED_NOW, audio.audio_id, audio.attempts)
        return True

    async def _destroy(self, con: asyncpg.Connection, audio: Audio) -> None:
        if audio.state != "shredded" and not await self._shred(con, audio):
            await let_go(con, audio)
            return
        await self._remove_plain(audio)
        point("destroy.before_delete")
        versions = await self.objects.delete(object_name(audio.kind, audio.audio_id))
        point("destroy.after_delete")
        point("destroy.before_tombstone")
        async with con.transaction():
            await self._bury(con, audio, versions)
        point("destroy.after_tombstone")
        log.info("sound destroyed", audio=audio.audio_id, reason=audio.reason, versions=versions)

    async def _remove_plain(self, audio: Audio) -> None:
        if audio.node == self.node:  # another node's spool is swept by its own worker
            await asyncio.to_thread(self.spool.remove, audio.audio_id)

    async def _shred(self, con: asyncpg.Connection, audio: Audio) -> bool:
        """Delete its key; False when it is not to be destroyed after all."""
        point("destroy.before_shred")
        async with con.transaction():
            if await con.fetchrow(STILL_DUE, audio.audio_id) is None:
                return False
            await con.execute(FORGET_KEY, audio.audio_id)
            await con.execute(SHREDDED, audio.audio_id)
        point("destroy.after_shred")
        return True

    async def _bury(self, con: asyncpg.Connection, audio: Audio, versions: int) -> None:
        row = await con.fetchrow(DESTROYED, audio.audio_id)
        if row is None:  # somebody else has, while we stood still
            return
        await con.execute(MESSAGE_DESTROYED, audio.audio_id)
        # As it is now: it may have been stored since it was claimed, in the very moment its time was over.
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
