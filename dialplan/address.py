"""SIP addresses of destinations: `sip:reception@pbx.acme.example`.

An address comes into Asterisk's dialplan: no character is allowed that is special there. RFC 3261 allows
more; what is missing here is refused, not escaped.
"""

import re
from functools import lru_cache

SCHEME = "sip:"
LONGEST_DOMAIN = 100
USER = "[A-Za-z0-9+][A-Za-z0-9+._-]{0,39}"
LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
DOMAIN = rf"{LABEL}(?:\.{LABEL})+"
_ADDRESS = re.compile(f"{SCHEME}({USER})@({DOMAIN})", re.ASCII)
# For editors: the domain in any case, and its length unchecked.
PATTERN = rf"sip:{USER}@[A-Za-z0-9](?:[A-Za-z0-9.-]{{1,98}})[A-Za-z0-9]"


def is_address(to: str) -> bool:
    """Whether a checked destination is a SIP address, and not a number."""
    return to.startswith(SCHEME)


def check_address(text: str) -> str:
    """Return the address itself, its domain in lower case. Raises ValueError.

    Other letters than ASCII are refused before: the lower case of some is an ASCII letter.
    """
    scheme, at, domain = text.rpartition("@")
    address = f"{scheme}{at}{domain.lower()}"
    match = _ADDRESS.fullmatch(address) if text.isascii() else None
    if match is None or len(match[2]) > LONGEST_DOMAIN:
        raise ValueError(
            f"`{shortened(text)}` is not a SIP address; write sip:, a user of at most 40 letters, digits and "
            "- _ . +, and a domain: sip:reception@pbx.acme.example"
        )
    return address


def check_domain(text: str) -> str:
    """Return the domain in lower case. Raises ValueError."""
    domain = text.lower() if text.isascii() else ""
    if not re.fullmatch(DOMAIN, domain, re.ASCII) or len(domain) > LONGEST_DOMAIN:
        raise ValueError("write the domain of the SIP addresses, without a port: pbx.acme.example")
    return domain


@lru_cache(maxsize=10_000)
def parts(to: str) -> tuple[str, str]:
    """Return user and domain of a destination; of a number, the number and ""."""
    if not is_address(to):
        return to, ""
    user, _, domain = to.removeprefix(SCHEME).partition("@")
    return user, domain


def bare(to: str) -> str:
    """Return the destination as the dialplan has it: without `sip:`, for a colon separates values there."""
    return to.removeprefix(SCHEME)


def whole(to: str) -> str:
    """Return the destination that the dialplan has: an address has an @."""
    return f"{SCHEME}{to}" if "@" in to else to


def shortened(text: str) -> str:
    """The beginning of a text, for an error."""
    return text if len(text) <= 80 else f"{text[:80]}…"
