"""Sealed audio, opened in parts: hours of it take no more memory than a second.

AES-GCM says only at the end whether everything is what was sealed. So the object is read twice: once to the
end, with nothing given out, to check it and to remember a digest of each piece; then, piece by piece, what is
asked for, each held against its digest. GCM encrypts as CTR does (NIST SP 800-38D, 6.5), so any block can be
decrypted by itself.
"""

import asyncio
import hashlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR, GCM

from storage.key_wrapper import NONCE_BYTES, SealBroken
from storage.objects import Objects

TAG_BYTES = 16
BLOCK = 16
PIECE = 2**20  # bytes in memory at a time; a multiple of BLOCK
FIRST_COUNTER = 2  # 1 encrypts the tag


@dataclass(frozen=True, slots=True)
class SealedAudio:
    """Audio that has been checked. `size`: of the plain audio, in bytes. `digests`: of each sealed piece."""

    objects: Objects
    name: str
    key: bytes
    nonce: bytes
    size: int
    digests: tuple[bytes, ...]

    async def parts(self, start: int, stop: int) -> AsyncGenerator[bytes]:
        """The plain bytes from `start` to `stop`, a piece at a time. Raises as Objects.read, SealBroken."""
        for nth in range(start // PIECE, -(-stop // PIECE)):
            begin = nth * PIECE
            plain = await self._piece(nth, min(PIECE, self.size - begin))
            yield plain[max(start - begin, 0) : stop - begin]

    async def _piece(self, nth: int, size: int) -> bytes:
        sealed = await self.objects.read(self.name, NONCE_BYTES + nth * PIECE, size)
        if hashlib.sha256(sealed).digest() != self.digests[nth]:
            raise SealBroken(f"{self.name} has changed while it was read")
        counter = FIRST_COUNTER + nth * PIECE // BLOCK
        decryptor = Cipher(AES(self.key), CTR(self.nonce + counter.to_bytes(4))).decryptor()
        return decryptor.update(sealed)


async def checked(objects: Objects, name: str, audio_id: str, key: bytes, sha256: str) -> SealedAudio:
    """Read it once to the end. Raises SealBroken unless it is the audio with this SHA-256, and this its key.

    Raises as Objects.read.
    """
    size = await objects.size(name) - NONCE_BYTES - TAG_BYTES
    if size < 0:
        raise SealBroken(f"{audio_id} is too short")
    nonce = await objects.read(name, 0, NONCE_BYTES)
    tag = await objects.read(name, NONCE_BYTES + size, TAG_BYTES)
    decryptor = Cipher(AES(key), GCM(nonce, tag)).decryptor()
    decryptor.authenticate_additional_data(audio_id.encode())
    plain, digests = hashlib.sha256(), []
    for begin in range(0, size, PIECE):
        sealed = await objects.read(name, NONCE_BYTES + begin, min(PIECE, size - begin))
        digests.append(hashlib.sha256(sealed).digest())
        plain.update(await asyncio.to_thread(decryptor.update, sealed))
    try:
        decryptor.finalize()
    except InvalidTag:
        raise SealBroken(f"{audio_id} does not open") from None
    if plain.hexdigest() != sha256:
        raise SealBroken(f"{audio_id} is not the audio that was stored")
    return SealedAudio(objects, name, key, nonce, size, tuple(digests))
