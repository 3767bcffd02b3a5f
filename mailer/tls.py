"""How much encryption a mail needs on its way, and what it got.

Encrypted where the other side can; never in plain because a handshake failed, for that is also what somebody
in between would bring about. What was reached is written down with every attempt.
"""

import ssl
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

# A handshake that fails this often, over this long, is the server's own fault, not somebody's in between.
FAILURES = 3
FAILING_FOR = timedelta(minutes=30)


class Policy(StrEnum):
    """What is demanded of one attempt. Where STARTTLS is offered it is used under all but the last."""

    VERIFIED = "verified"  # a certificate that proves the name, or no mail
    ENCRYPTED = "encrypted"  # any certificate, but never plain: the domain has spoken TLS before
    OPPORTUNISTIC = "opportunistic"  # plain where STARTTLS is not offered
    PLAIN = "plain"  # its handshakes fail, and it has never spoken TLS


class Level(StrEnum):
    """What an attempt reached; in the database followed by the version: `verified TLSv1.3`."""

    NONE = "none"
    UNVERIFIED = "unverified"
    VERIFIED = "verified"
    FAILED = "failed"  # offered, and then the handshake came to nothing


def policy_for(*, require: bool, seen: bool, failures: int, since: timedelta) -> Policy:
    """The policy of the next attempt.

    `require`: the owner's or operator's wish; `seen`: this domain has spoken TLS before; `failures`: attempts
    of this mail that ended in a failed handshake; `since`: the time since its first attempt.
    """
    if require:
        return Policy.VERIFIED
    if seen:
        return Policy.ENCRYPTED
    if failures >= FAILURES and since >= FAILING_FOR:
        return Policy.PLAIN
    return Policy.OPPORTUNISTIC


def verifying(authorities: Path | None) -> ssl.SSLContext:
    """Believes the system's authorities and, if given, those of this file besides; TLS 1.2 at least."""
    context = ssl.create_default_context()
    if authorities is not None:
        context.load_verify_locations(authorities)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def unverifying() -> ssl.SSLContext:
    """Believes anybody: against those who only listen that is as good."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
