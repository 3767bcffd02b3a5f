"""A caller's number where it must not stand in plain: as a keyed hash, or encrypted; and its spellings.

Both keys are derived from the master key (HKDF, as for return addresses). Whoever has only the database
cannot try all numbers against a hash; an operator, with the master key, can prove which number was erased.
"""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Self

from dialplan.number import international
from storage.key_wrapper import SealBroken, derive, open_sealed, seal

BOUND_TO = "erasure"


@dataclass(frozen=True, slots=True)
class NumberKeys:
    """Keys for numbers, one for each master key; the first one hashes and encrypts."""

    keys: tuple[bytes, ...]

    @classmethod
    def of(cls, master_keys: str) -> Self:
        """Raises MasterKeyError."""
        return cls(tuple(derive(master_keys, "erased caller")))

    def hash(self, number: str, nth: int = 0) -> str:
        """`KEY-ID:HMAC`, in hex, of a number in E.164."""
        key = self.keys[nth]
        return f"{_id(key)}:{hmac.new(key, number.encode(), hashlib.sha256).hexdigest()}"

    def hashes(self, number: str) -> list[str]:
        """By each of the keys: a certificate may be older than the present master key."""
        return [self.hash(number, nth) for nth in range(len(self.keys))]

    def can_check(self, caller_hash: str) -> bool:
        """Whether one of the keys made this hash."""
        return caller_hash.partition(":")[0] in {_id(key) for key in self.keys}

    def seal(self, number: str) -> bytes:
        return seal(self.keys[0], BOUND_TO, number.encode())

    def open(self, sealed: bytes) -> str | None:
        """The number; None where the master key of that time is not configured."""
        for key in self.keys:
            try:
                return open_sealed(key, BOUND_TO, sealed).decode()
            except SealBroken:
                continue
        return None


def spellings(number: str, country: str = "") -> list[str]:
    """How trunks write this caller (E.164): with +, with 00, with neither; in national form of `country`."""
    digits = number.removeprefix("+")
    national = [f"0{digits.removeprefix(country)}"] if country and digits.startswith(country) else []
    return [f"+{digits}", digits, f"00{digits}", *national]


def e164(caller: str, country: str = "") -> str:
    """The number of a caller as stored, in E.164 as far as that can be known."""
    return "+" + international(caller, country).removeprefix("+")


def _id(key: bytes) -> str:
    return hashlib.sha256(key).hexdigest()[:8]
