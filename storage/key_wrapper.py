"""One key for each message and recording: deleting 32 bytes destroys it, wherever copies of it are.

The audio is encrypted with its key (AES-256-GCM), the key with the key of its group; both are bound to the
audio's id, so that neither can be exchanged for another's. Group keys are wrapped by the operator's master
key together with the key of the present epoch (storage/keyring.py).

    sealed audio or key  nonce (12) | ciphertext | tag (16)
    wrapped key          master key's id (4) | nonce (12) | wrapped key (32) | tag (16)
"""

import hashlib
import os
from base64 import b64decode, b64encode
from copy import copy

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

KEY_BYTES = 32
NONCE_BYTES = 12
ID_BYTES = 4


class MasterKeyError(Exception):
    """The master key cannot be used; the message says what to write."""


class SealBroken(Exception):
    """These bytes are not what was sealed, or this is not their key."""


class KeyWrapper:
    """Wraps and opens keys. `master_keys`: in base64, separated by white space or commas.

    The first one wraps; the others only open what they have wrapped, so that a master key can be replaced.
    Raises MasterKeyError.
    """

    def __init__(self, master_keys: str) -> None:
        keys = _decoded(master_keys)
        self._keys = {_id(key): key for key in keys}
        self._masters = {name: AESGCM(key) for name, key in self._keys.items()}
        self.current = _id(keys[0])

    @property
    def known(self) -> list[bytes]:
        """The ids of its master keys."""
        return list(self._keys)

    def in_epoch(self, epoch_key: bytes) -> "KeyWrapper":
        """A wrapper by master key and epoch key together: without either of them nothing opens."""
        key_wrapper = copy(self)
        key_wrapper._masters = {name: AESGCM(_derived(key, epoch_key)) for name, key in self._keys.items()}
        return key_wrapper

    def wrap(self, key: bytes, audio_id: str) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        wrapped = self._masters[self.current].encrypt(nonce, key, audio_id.encode())
        return self.current + nonce + wrapped

    def unwrap(self, wrapped: bytes, audio_id: str) -> bytes:
        """Raises MasterKeyError when its master key is not configured, SealBroken."""
        master = self._masters.get(wrapped[:ID_BYTES])
        if master is None:
            known = ", ".join(key.hex() for key in self._masters)
            raise MasterKeyError(
                f"{audio_id} was wrapped by master key {wrapped[:ID_BYTES].hex()}, which is not configured "
                f"(configured: {known}); add it after the current one in `master_key`"
            )
        return _decrypt(master, wrapped[ID_BYTES:], audio_id)


def derive(master_keys: str, purpose: str) -> list[bytes]:
    """Derive a key for another purpose from each master key, in order. It does not reveal the master key.

    Raises MasterKeyError.
    """
    info = f"callengine {purpose}".encode()
    return [HKDFExpand(SHA256(), KEY_BYTES, info).derive(key) for key in _decoded(master_keys)]


def new_master_key() -> str:
    """A new one, as the settings file has it."""
    return b64encode(new_key()).decode()


def new_key() -> bytes:
    return AESGCM.generate_key(KEY_BYTES * 8)


def seal(key: bytes, audio_id: str, plain: bytes) -> bytes:
    """Encrypt audio (0.8 ms for a minute of it). The nonce is random, so each call returns other bytes."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plain, audio_id.encode())


def open_sealed(key: bytes, audio_id: str, sealed: bytes) -> bytes:
    """Raises SealBroken."""
    return _decrypt(AESGCM(key), sealed, audio_id)


def _decrypt(cipher: AESGCM, sealed: bytes, audio_id: str) -> bytes:
    try:
        return cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], audio_id.encode())
    except (InvalidTag, ValueError):  # ValueError: too short to hold even a nonce
        raise SealBroken(f"{audio_id} does not open") from None


def _decoded(master_keys: str) -> list[bytes]:
    keys = [_decode(text) for text in master_keys.replace(",", " ").split()]
    if not keys:
        raise MasterKeyError("there is no master key; `callengine settings --new-key` makes one")
    return keys


def _derived(master: bytes, epoch_key: bytes) -> bytes:
    return HKDF(SHA256(), KEY_BYTES, salt=epoch_key, info=b"callengine epoch").derive(master)


def _decode(text: str) -> bytes:
    try:
        key = b64decode(text, validate=True)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise MasterKeyError("a master key is 32 bytes in base64; `callengine settings --new-key` makes one")
    return key


def _id(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()[:ID_BYTES]
