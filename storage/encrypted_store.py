"""The encrypted store: sealed audio is in the object store, its own key in the database."""

import asyncio
import hashlib
from dataclasses import dataclass

import asyncpg

from journal.fault import point
from storage import access, keyring
from storage.access import Access, Actor
from storage.key_wrapper import KeyWrapper, SealBroken, open_sealed, seal
from storage.objects import ObjectExists, ObjectMissing, Objects, ObjectsTrouble
from storage.sealed_audio import SealedAudio, checked

WANTED = "SELECT kind, sha256 FROM audio WHERE audio_id = $1"


class AudioDestroyed(Exception):
    """There is no such audio, or it has been destroyed."""


class AudioDamaged(Exception):
    """The object store does not return what was stored."""


@dataclass(frozen=True, slots=True)
class EncryptedStore:
    """Stores audio and returns it. Methods raise ObjectsTrouble, MasterKeyError and asyncpg's errors."""

    objects: Objects
    key_wrapper: KeyWrapper

    async def store(self, con: asyncpg.Connection, kind: str, audio_id: str, wav: bytes) -> str:
        """Store it as an object, read it back and compare; return the SHA-256 of the object.

        Its key is in the database before, so that a repeat after a crash can open the object of the earlier
        attempt. Not in a transaction. Raises AudioDestroyed when it has been destroyed meanwhile.
        """
        key = await self._key(con, audio_id)
        sealed = await asyncio.to_thread(seal, key, audio_id, wav)
        name = object_name(kind, audio_id)
        point("store.before_put")
        try:
            await self.objects.put(name, sealed)
        except ObjectExists:  # an earlier attempt wrote it, whole or not
            if (existing := await self._existing(name, key, audio_id, wav)) is not None:
                return digest(existing)
            await self.objects.delete(name)
            point("store.before_second_put")
            await self.objects.put(name, sealed)
        point("store.after_put")
        if await self.objects.get(name) != sealed:
            await self.objects.delete(name)
            raise ObjectsTrouble(f"{name} was read back with other bytes than were written")
        return digest(sealed)

    async def fetch(
        self,
        con: asyncpg.Connection,
        audio_id: str,
        actor: Actor | None = None,
        what: Access = Access.FETCH,
    ) -> bytes:
        """Return the plain audio for a person to hear; add a line to the access log before.

        `actor` None: who runs this process. `what`: as the log has it. Not in a transaction: its rollback
        would delete that line. Raises AudioDestroyed, AudioDamaged.
        """
        if con.is_in_transaction():
            raise RuntimeError(
                "fetch audio outside of a transaction: a rollback would delete the access line"
            )
        plain = await self._open(con, audio_id)
        await access.add(con, audio_id, what, actor)
        return plain

    async def open(self, con: asyncpg.Connection, audio_id: str, actor: Actor, what: Access) -> SealedAudio:
        """As `fetch`, but the audio is returned in parts, when they are asked for."""
        if con.is_in_transaction():
            raise RuntimeError("open audio outside of a transaction: a rollback would delete the access line")
        kind, sha256, key = await self._wanted(con, audio_id)
        try:
            audio = await checked(self.objects, object_name(kind, audio_id), audio_id, key, sha256)
        except (ObjectMissing, SealBroken) as error:
            raise AudioDamaged(f"{audio_id}: {error!r}") from error
        await access.add(con, audio_id, what, actor)
        return audio

    async def fetch_for_mail(self, con: asyncpg.Connection, audio_id: str) -> bytes:
        """Return the plain audio to the outbox worker alone: each of its attempts is in the table `attempt`.

        Raises AudioDestroyed, AudioDamaged.
        """
        return await self._open(con, audio_id)

    async def _open(self, con: asyncpg.Connection, audio_id: str) -> bytes:
        kind, sha256, key = await self._wanted(con, audio_id)
        try:
            sealed = await self.objects.get(object_name(kind, audio_id))
            wav = await asyncio.to_thread(open_sealed, key, audio_id, sealed)
        except (ObjectMissing, SealBroken) as error:
            raise AudioDamaged(f"{audio_id}: {error!r}") from error
        if digest(wav) != sha256:
            raise AudioDamaged(f"{audio_id} is not the audio that was stored")
        return wav

    async def _wanted(self, con: asyncpg.Connection, audio_id: str) -> tuple[str, str, bytes]:
        """Its kind, the SHA-256 of the plain audio, and its key. Raises AudioDestroyed, AudioDamaged."""
        row = await con.fetchrow(WANTED, audio_id)
        if row is None or row["sha256"] is None:
            raise AudioDestroyed(audio_id)
        try:
            key = await keyring.find(con, self.key_wrapper, audio_id)
        except SealBroken as error:
            raise AudioDamaged(f"{audio_id}: {error!r}") from error
        if key is None:
            raise AudioDestroyed(audio_id)
        return row["kind"], row["sha256"], key

    async def _key(self, con: asyncpg.Connection, audio_id: str) -> bytes:
        """Its key; made and stored the first time."""
        await keyring.make(con, self.key_wrapper, audio_id)
        key = await keyring.find(con, self.key_wrapper, audio_id)
        if key is None:
            raise AudioDestroyed(audio_id)
        return key

    async def _existing(self, name: str, key: bytes, audio_id: str, wav: bytes) -> bytes | None:
        """The object that is there already, if it is this audio."""
        try:
            sealed = await self.objects.get(name)
            return sealed if open_sealed(key, audio_id, sealed) == wav else None
        except (ObjectMissing, SealBroken):
            return None


def object_name(kind: str, audio_id: str) -> str:
    return f"{kind}/{audio_id}"


def digest(data: bytes) -> str:
    """Its SHA-256, in hex."""
    return hashlib.sha256(data).hexdigest()
