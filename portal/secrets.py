"""The portal's own secrets: tokens, keyed hashes, form tokens, and filters sealed for an address."""

import hashlib
import hmac
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

from storage.key_wrapper import SealBroken, derive, open_sealed, seal

BYTES = 32


class Secrets:
    """Derived from the master key, so that all portals of a database have the same.

    Raises MasterKeyError.
    """

    def __init__(self, master_keys: str) -> None:
        self._hashing = derive(master_keys, "portal hashes")[0]
        self._sealing = derive(master_keys, "portal filters")

    def hashed(self, purpose: str, text: str) -> bytes:
        """A keyed hash of something that can be guessed, such as a mail address."""
        return hmac.digest(self._hashing, f"{purpose}\0{text}".encode(), hashlib.sha256)

    def form_token(self, session: str) -> str:
        """What every form of this session contains, so that no other site can send one."""
        return self.hashed("form", session).hex()

    def seal(self, owner: str, value: Any) -> str:
        """A value as text for an address: nobody reads it there, and no other owner can use it."""
        sealed = seal(self._sealing[0], f"portal {owner}", json.dumps(value).encode())
        return urlsafe_b64encode(sealed).decode().rstrip("=")

    def open(self, owner: str, text: str) -> Any:
        """The value. Raises SealBroken when we did not seal this for this owner."""
        try:
            sealed = urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except ValueError:
            raise SealBroken("not base64") from None
        for key in self._sealing:
            try:
                return json.loads(open_sealed(key, f"portal {owner}", sealed))
            except SealBroken:
                continue
        raise SealBroken("sealed by somebody else")


def new_token() -> str:
    """256 random bits, as text for a cookie or an address."""
    return secrets.token_urlsafe(BYTES)


def is_token(text: str) -> bool:
    """Whether the text can be one of new_token()."""
    return len(text) == 43 and all(char.isascii() and (char.isalnum() or char in "-_") for char in text)


def same(one: str, other: str) -> bool:
    """Whether both are equal, in constant time."""
    return hmac.compare_digest(one.encode(), other.encode())
