"""Sealing: from a plain file of Asterisk's to a sound that is encrypted, stored, and promised to its owner.

    recorded -> (key, object, read back) -> stored, message waiting -> file gone
             -> nothing to be heard: absent, perhaps a missed-call mail -> destroyed

Killed anywhere, the next attempt does the rest again: the file goes last, when the rows say it may.
"""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import asyncpg
import structlog

from journal.fault import point
from storage import messages, recordings
from storage.conversation import Conversation, join, join_parts
from storage.encrypted_store import AudioDestroyed, EncryptedStore, digest, object_name
from storage.key_wrapper import MasterKeyError, SealBroken
from storage.lease import CLAIM, FREE, Audio, claim, let_go
from storage.objects import ObjectsTrouble
from storage.spool import Spool
from storage.wave import whole

# A call that has ended has had its recording closed. Where nobody saw that, the file has to be still first.
STILL = timedelta(seconds=5)
# A file that is not there is given up only then: its disk may come back. Where recording failed, at once.
GIVE_UP = timedelta(minutes=10)
CUT = 2.5  # s: Asterisk killed loses 2.05 s; more missing than this is told
TROUBLE = (ObjectsTrouble, MasterKeyError, SealBroken, AudioDestroyed, OSError)
log = structlog.get_logger()

TO_SEAL = CLAIM.format(due=f"state = 'recorded' AND node = $1 AND {FREE}", first="next_at")

STORED = """
UPDATE audio SET state = 'stored', seconds = $2, bytes = $3, sha256 = $4, cipher_sha256 = $5,
    lease_until = NULL, attempts = 0, next_at = now()
WHERE audio_id = $1 AND state = 'recorded'
"""

ABSENT = """
UPDATE audio SET state = 'absent', why = $2, seconds = $3, destroy_after = now(), reason = 'absent',
    lease_until = NULL, attempts = 0, next_at = now()
WHERE audio_id = $1 AND state = 'recorded'
"""


class Came(StrEnum):
    """What came of one attempt."""

    STORED = "stored"
    ABSENT = "absent"
    LATER = "later"


@dataclass(frozen=True, slots=True)
class Sealer:
    """Seals the sounds that this node's Asterisk has recorded.

    `kept`: how long a message that has no address is kept.
    """

    node: str
    spool: Spool
    encrypted_store: EncryptedStore
    kept: timedelta = timedelta(days=30)

    async def seal_next(self, con: asyncpg.Connection) -> Came | None:
        """Seal the next sound that is due; None when none is. Not in a transaction.

        LATER: it could not be sealed now, and will be tried again. Raises asyncpg's errors.
        """
        audio = await claim(con, TO_SEAL, self.node)
        if audio is None:
            return None
        point("seal.after_claim")
        try:
            return await self._seal(con, audio)
        except TROUBLE as trouble:
            log.warning("sound waits", audio=audio.audio_id, attempts=audio.attempts, error=str(trouble))
            await let_go(con, audio)
            return Came.LATER

    async def _seal(self, con: asyncpg.Connection, audio: Audio) -> Came:
        if self._may_grow(audio):
            await let_go(con, audio)
            return Came.LATER
        seal = self._seal_message if audio.kind == "message" else self._seal_conversation
        return await seal(con, audio)

    async def _seal_message(self, con: asyncpg.Connection, audio: Audio) -> Came:
        raw = await asyncio.to_thread(self.spool.read, audio.audio_id)
        if raw is None:
            return await self._without_file(con, audio)
        sound = await asyncio.to_thread(whole, raw)
        if sound.absence:
            return await self._absent(con, audio, sound.absence, sound.seconds)
        lasted = (audio.ended - audio.began).total_seconds() if audio.ended else 0
        warn_if_cut(audio, sound.seconds, lasted)
        return await self._store(con, audio, sound.wav, sound.seconds)

    async def _seal_conversation(self, con: asyncpg.Connection, audio: Audio) -> Came:
        form, lasted = await recordings.wanted(con, audio.audio_id)
        talk = await asyncio.to_thread(self._talk, audio.audio_id, form, lasted)
        if talk is None:
            return await self._without_file(con, audio)
        if not talk.seconds:
            return await self._absent(con, audio, "empty", 0)
        warn_if_cut(audio, talk.seconds - talk.missing, lasted)
        await recordings.measured(con, audio.audio_id, talk, lasted)
        return await self._store(con, audio, talk.data, talk.seconds)

    def _talk(self, audio_id: str, form: str, lasted: float) -> Conversation | None:
        """What was recorded of a conversation; None when there is no file of it. Blocks."""
        if parts := self.spool.read_parts(audio_id):
            return join_parts(parts, form, lasted)
        caller, destination = self.spool.read_sides(audio_id)
        if caller is None and destination is None:
            return None
        return join(caller, destination, form)

    def _may_grow(self, audio: Audio) -> bool:
        written = self.spool.written(audio.audio_id)
        return audio.ended is None and written is not None and datetime.now(UTC) - written < STILL

    async def _without_file(self, con: asyncpg.Connection, audio: Audio) -> Came:
        if audio.how == "failed" or datetime.now(UTC) - audio.noted_at > GIVE_UP:
            log.critical("no sound was recorded", audio=audio.audio_id, how=audio.how)
            return await self._absent(con, audio, "no_file", 0)
        log.warning("sound not in the spool", audio=audio.audio_id)
        await let_go(con, audio)
        return Came.LATER

    async def _store(self, con: asyncpg.Connection, audio: Audio, data: bytes, seconds: float) -> Came:
        cipher = await self.encrypted_store.keep(con, audio.kind, audio.audio_id, data)
        point("seal.before_commit")
        async with con.transaction():
            told = (audio.audio_id, seconds, len(data), digest(data), cipher)
            ours = await con.execute(STORED, *told) == "UPDATE 1"
            if ours:
                await messages.stored(con, audio.audio_id, self.kept)
        point("seal.after_commit")
        if not ours:
            await self._take_back(con, audio)
        await asyncio.to_thread(self.spool.remove, audio.audio_id)
        return Came.STORED

    async def _take_back(self, con: asyncpg.Connection, audio: Audio) -> None:
        """Another was faster, while we stood still for longer than our lease: leave nothing behind it."""
        state = await con.fetchval("SELECT state FROM audio WHERE audio_id = $1", audio.audio_id)
        if state in {"shredded", "destroyed"}:
            await self.encrypted_store.objects.delete(object_name(audio.kind, audio.audio_id))

    async def _absent(self, con: asyncpg.Connection, audio: Audio, why: str, seconds: float) -> Came:
        log.info("nothing was said", audio=audio.audio_id, why=why, seconds=round(seconds, 1))
        point("seal.before_absent")
        async with con.transaction():
            if await con.execute(ABSENT, audio.audio_id, why, seconds) == "UPDATE 1":
                await messages.absent(con, audio.audio_id, why)
        point("seal.after_absent")
        return Came.ABSENT


def warn_if_cut(audio: Audio, seconds: float, lasted: float) -> None:
    """More is missing than a kill of Asterisk explains: a full disk, or a sound cut by hand."""
    if lasted - seconds > CUT:
        log.warning(
            "sound shorter than its call", audio=audio.audio_id, seconds=round(seconds, 1), call=lasted
        )
