"""The return address of a mail, to which reports are sent: it names message and recipient, and is signed.

    vm+<call, 32 hex digits><m or v1, v2 ...>=<recipient's digest, 8><token, 16>@domain

Message ids can be guessed, because they are derived from Asterisk's channel names. The token cannot: it is an
HMAC over message and recipient, with a key that only workers have. A report is parsed only if its address was
made here; its sender and its headers prove nothing.
"""

import hashlib
import hmac
import re
from base64 import b32encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from journal.ids import MESSAGE_ID

TOKEN_BYTES = 10  # 80 bits: a local part has at most 64 characters (RFC 5321, 4.5.3.1.1), ours has 63
ADDRESS = re.compile(
    r"vm\+(?P<call>[0-9a-f]{32})(?P<kind>m|[vo][0-9]{1,6})=(?P<digest>[0-9a-f]{8})(?P<token>[a-z2-7]{16})"
    r"@[^@\s]{1,255}",
    re.ASCII,
)
# The kinds of ids, by their first letters in an address.
KINDS = {"m": "missed", "v": "vm", "o": "out"}
# The return address of earlier versions, without a token: anybody can make one.
UNSIGNED = re.compile(r"vm\+[0-9a-f-]{36}-(vm[0-9]+|missed)=[0-9a-f]{8}@[^@\s]+", re.ASCII)


class Returned(NamedTuple):
    """The message and the recipient's digest that a return address names."""

    message_id: str
    digest: str


@dataclass(frozen=True, slots=True)
class ReturnAddresses:
    """Makes return addresses with the first key; reads addresses made with any of the keys."""

    keys: Sequence[bytes]

    def make(self, message_id: str, recipient: str, domain: str) -> str:
        """Raises ValueError if the id is not one of ours."""
        if not MESSAGE_ID.fullmatch(message_id):
            raise ValueError("the message's id is not one of ours")
        about = Returned(message_id, digest(recipient))
        call, kind = message_id[:36].replace("-", ""), message_id[37:]
        short = kind.replace("missed", "m").replace("vm", "v").replace("out", "o")
        return f"vm+{call}{short}={about.digest}{_token(self.keys[0], about)}@{domain}"

    def read(self, address: str) -> Returned | None:
        """The message and recipient of this address; None if it was not made here. Case does not matter."""
        match = ADDRESS.fullmatch(address.lower())
        if match is None:
            return None
        about = Returned(_message_id(match["call"], match["kind"]), match["digest"])
        # All keys are tried, so that the time taken does not reveal which one fits.
        fits = [hmac.compare_digest(_token(key, about), match["token"]) for key in self.keys]
        return about if any(fits) else None


def digest(recipient: str) -> str:
    """Eight hex digits that stand for a recipient: a whole address does not fit into a local part."""
    return hashlib.sha256(recipient.encode()).hexdigest()[:8]


def is_unsigned(address: str) -> bool:
    """Whether this is a return address of an earlier version."""
    return UNSIGNED.fullmatch(address.lower()) is not None


def _message_id(call: str, kind: str) -> str:
    uuid = "-".join((call[:8], call[8:12], call[12:16], call[16:20], call[20:]))
    return f"{uuid}-{KINDS[kind[0]]}{kind[1:]}"


def _token(key: bytes, about: Returned) -> str:
    mac = hmac.digest(key, "\n".join(about).encode(), "sha256")
    return b32encode(mac[:TOKEN_BYTES]).decode().lower()
