"""Sealing: from a plain file that Asterisk wrote to audio that is encrypted, stored, and due to its owner.

    recorded -> (key, object, read back) -> stored, message waiting -> plain file removed
             -> no speech: absent, perhaps a missed-call mail -> destroyed

After a crash at any point, the next attempt repeats the rest: the plain file is removed last, once the rows
are committed.
"""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import asyncpg
import structlog

from journal.fault import point
from storage import audio_states, messages, recordings
from storage.audio_states import AudioState, Stored
from storage.conversation import Conversation, join, join_parts
from storage.encrypted_store import AudioDestroyed, EncryptedStore, digest, object_name
from storage.key_wrapper import MasterKeyError, SealBroken
from storage.lease import CLAIM, FREE, Audio, claim, release
from storage.objects import ObjectsTrouble
from storage.spool import Spool
from storage.wave import whole

# Asterisk closes the file when the recording ends. Where nobody saw it end, the file must first stop growing.
STILL = timedelta(seconds=5)
# A missing file is given up only after this time: its disk may come back. Where recording failed, at once.
GIVE_UP = timedelta(minutes=10)
CUT = 2.5  # s: a killed Asterisk loses 2.05 s; more missing than this is logged
TROUBLE = (ObjectsTrouble, MasterKeyError, SealBroken, AudioDestroyed, OSError)
log = structlog.get_logger()

TO_SEAL = CLAIM.format(due=f"state = 'recorded' AND node = $1 AND {FREE}", first="next_at")


class SealResult(StrEnum):
    """The result of one attempt. DEFERRED: it failed, and is repeated later."""

    STORED = "stored"
    ABSENT = "absent"
    DEFERRED = "deferred"


@dataclass(frozen=True, slots=True)
class Sealer:
    """Seals the audio that this node's Asterisk has recorded.

    `kept`: how long the audio of a message that has no address is kept.
    """

    node: str
    spool: Spool
    encrypted_store: EncryptedStore
    kept: timedelta = timedelta(days=30)

    async def seal_next(self, con: asyncpg.Connection) -> SealResult | None:
        """Seal the next audio that is due; None when none is due.

        Not in a transaction. Raises asyncpg's errors.
        """
        audio = await claim(con, TO_SEAL, self.node)
        if audio is None:
            return None
        point("seal.after_claim")
        try:
            return await self._seal(con, audio)
        except TROUBLE as trouble:
            log.warning("sealing_deferred", audio=audio.audio_id, attempts=audio.attempts, error=str(trouble))
            await release(con, audio)
            return SealResult.DEFERRED

    async def _seal(self, con: asyncpg.Connection, audio: Audio) -> SealResult:
        if self._may_grow(audio):
            await release(con, audio)
            return SealResult.DEFERRED
        seal = self._seal_message if audio.kind == "message" else self._seal_recording
        return await seal(con, audio)

    async def _seal_message(self, con: asyncpg.Connection, audio: Audio) -> SealResult:
        raw = await asyncio.to_thread(self.spool.read, audio.audio_id)
        if raw is None:
            return await self._without_file(con, audio)
        sound = await asyncio.to_thread(whole, raw)
        if sound.absence:
            return await self._absent(con, audio, sound.absence, sound.seconds)
        lasted = (audio.ended - audio.began).total_seconds() if audio.ended else 0
        warn_if_cut(audio, sound.seconds, lasted)
        return await self._store(con, audio, sound.wav, sound.seconds)

    async def _seal_recording(self, con: asyncpg.Connection, audio: Audio) -> SealResult:
        form, lasted = await recordings.format_and_seconds(con, audio.audio_id)
        conversation = await asyncio.to_thread(self._conversation, audio.audio_id, form, lasted)
        if conversation is None:
            return await self._without_file(con, audio)
        if not conversation.seconds:
            return await self._absent(con, audio, "empty", 0)
        warn_if_cut(audio, conversation.seconds - conversation.missing, lasted)
        await recordings.store_measurements(con, audio.audio_id, conversation, lasted)
        return await self._store(con, audio, conversation.data, conversation.seconds)

    def _conversation(self, audio_id: str, form: str, lasted: float) -> Conversation | None:
        """Read what was recorded of a conversation; None when there is no file. Blocks."""
        if parts := self.spool.read_parts(audio_id):
            return join_parts(parts, form, lasted)
        caller, destination = self.spool.read_sides(audio_id)
        if caller is None and destination is None:
            return None
        return join(caller, destination, form)

    def _may_grow(self, audio: Audio) -> bool:
        written = self.spool.written(audio.audio_id)
        return audio.ended is None and written is not None and datetime.now(UTC) - written < STILL

    async def _without_file(self, con: asyncpg.Connection, audio: Audio) -> SealResult:
        if audio.how == "failed" or datetime.now(UTC) - audio.noted_at > GIVE_UP:
            log.critical("audio_not_recorded", audio=audio.audio_id, how=audio.how)
            return await self._absent(con, audio, "no_file", 0)
        log.warning("audio_not_found", audio=audio.audio_id)
        await release(con, audio)
        return SealResult.DEFERRED

    async def _store(self, con: asyncpg.Connection, audio: Audio, data: bytes, seconds: float) -> SealResult:
        cipher = await self.encrypted_store.store(con, audio.kind, audio.audio_id, data)
        point("seal.before_commit")
        async with con.transaction():
            stored = Stored(seconds, len(data), digest(data), cipher)
            ours = await audio_states.store(con, audio.audio_id, stored)
            if ours:
                await messages.stored(con, audio.audio_id, self.kept)
        point("seal.after_commit")
        if not ours:
            await self._take_back(con, audio)
        await asyncio.to_thread(self.spool.remove, audio.audio_id)
        return SealResult.STORED

    async def _take_back(self, con: asyncpg.Connection, audio: Audio) -> None:
        """Delete the object if the audio was destroyed while this worker was stopped beyond its lease."""
        states = await audio_states.states_of(con, [audio.audio_id])
        if states.get(audio.audio_id) in {AudioState.SHREDDED, AudioState.DESTROYED}:
            await self.encrypted_store.objects.delete(object_name(audio.kind, audio.audio_id))

    async def _absent(self, con: asyncpg.Connection, audio: Audio, why: str, seconds: float) -> SealResult:
        log.info("audio_absent", audio=audio.audio_id, why=why, seconds=round(seconds, 1))
        point("seal.before_absent")
        async with con.transaction():
            if await audio_states.declare_absent(con, audio.audio_id, why, seconds):
                await messages.silent(con, audio, why)
        point("seal.after_absent")
        return SealResult.ABSENT


def warn_if_cut(audio: Audio, seconds: float, lasted: float) -> None:
    """Log that more is missing than a killed Asterisk explains: the disk was full, or the file was cut."""
    if lasted - seconds > CUT:
        log.warning("audio_cut", audio=audio.audio_id, seconds=round(seconds, 1), call=lasted)
