"""The TLS policy of a mail, and the TLS level that an attempt reached.

Encrypt wherever the server offers it. A failed handshake is not a reason for plain text, because an attacker
in between can cause one. The level reached is stored with every attempt.
"""

import ssl
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

# A handshake that fails this often over this long is taken for the server's fault, not an attack.
FAILURES = 3
FAILING_FOR = timedelta(minutes=30)


class Policy(StrEnum):
    """What one attempt requires. Where STARTTLS is offered, all but the last policy use it."""

    VERIFIED = "verified"  # a certificate that proves the name, or no mail
    ENCRYPTED = "encrypted"  # any certificate, but never plain: the domain has used TLS before
    OPPORTUNISTIC = "opportunistic"  # plain where STARTTLS is not offered
    PLAIN = "plain"  # the handshakes fail, and the domain has never used TLS


class Level(StrEnum):
    """The level that an attempt reached; in the database with the version: `verified TLSv1.3`."""

    NONE = "none"
    UNVERIFIED = "unverified"
    VERIFIED = "verified"
    FAILED = "failed"  # offered, but the handshake failed


def policy_for(*, require: bool, seen: bool, failures: int, since: timedelta) -> Policy:
    """The policy of the next attempt.

    `require`: set by the owner or operator. `seen`: the domain has used TLS before. `failures`: attempts of
    this mail with a failed handshake. `since`: the time since its first attempt.
    """
    if require:
        return Policy.VERIFIED
    if seen:
        return Policy.ENCRYPTED
    if failures >= FAILURES and since >= FAILING_FOR:
        return Policy.PLAIN
    return Policy.OPPORTUNISTIC


def verifying(authorities: Path | None) -> ssl.SSLContext:
    """Trusts the system's authorities and, if given, those of this file; TLS 1.2 or later."""
    context = ssl.create_default_context()
    if authorities is not None:
        context.load_verify_locations(authorities)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def unverifying() -> ssl.SSLContext:
    """Accepts any certificate: this still protects against passive listeners."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
