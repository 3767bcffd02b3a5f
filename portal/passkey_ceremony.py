"""What a browser is asked for, and whether its answer counts (WebAuthn): verified by the library `webauthn`.

The relying party is the host of the portal's address, which a browser wants to be a name. A device has to
verify its user, by a fingerprint, a face or a PIN: a passkey alone is the whole login.
"""

import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import base64url_to_bytes
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from config.portal import Portal
from storage.owned.passkeys import LIFE, NewPasskey, Passkey

BYTES = 32
TIMEOUT = int(LIFE.total_seconds() * 1000)
MOST_TEXT = 20_000  # characters of an answer
# What the library raises for an answer that is none, besides its own errors.
UNREADABLE = (WebAuthnException, ValueError, KeyError, TypeError, AttributeError, RecursionError)


class PasskeyRefused(Exception):
    """The answer does not count; the text says why, without anything of it."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who adds a passkey, as their device shows it."""

    owner: str
    name: str
    address: str


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """Who asks. `host`: the name to which devices bind a passkey; `origin`: of the pages that may use it."""

    host: str
    origin: str
    title: str

    def creation(self, challenge: bytes, handle: bytes, person: Person, known: Iterable[Passkey]) -> str:
        """The options of a new passkey, as JSON for the browser."""
        options = generate_registration_options(
            rp_id=self.host,
            rp_name=self.title,
            user_id=handle,
            user_name=person.address,
            user_display_name=f"{person.name}, {person.address}",
            challenge=challenge,
            timeout=TIMEOUT,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED,
                user_verification=UserVerificationRequirement.REQUIRED,
            ),
            exclude_credentials=[PublicKeyCredentialDescriptor(id=one.credential_id) for one in known],
        )
        return options_to_json(options)

    def request(self, challenge: bytes) -> str:
        """The options of a login, as JSON for the browser: any passkey that the device has of this host."""
        verification = UserVerificationRequirement.REQUIRED
        options = generate_authentication_options(
            rp_id=self.host, challenge=challenge, timeout=TIMEOUT, user_verification=verification
        )
        return options_to_json(options)

    def created(self, answer: str, challenge: bytes, handle: bytes, address: str, name: str) -> NewPasskey:
        """The passkey that a device has made. Raises PasskeyRefused."""
        try:
            found = verify_registration_response(
                credential=_read(answer),
                expected_challenge=challenge,
                expected_rp_id=self.host,
                expected_origin=self.origin,
                require_user_verification=True,
            )
        except UNREADABLE as error:
            raise PasskeyRefused(type(error).__name__) from None
        key = found.credential_public_key
        return NewPasskey(address, found.credential_id, key, handle, found.sign_count, name)

    def counted(self, answer: str, challenge: bytes, passkey: Passkey) -> int:
        """The device's count of logins, if this answer is one by this passkey. Raises PasskeyRefused."""
        credential = _read(answer)
        try:
            if base64url_to_bytes(credential["response"]["userHandle"]) != passkey.user_handle:
                raise PasskeyRefused("another user")
            found = verify_authentication_response(
                credential=credential,
                expected_challenge=challenge,
                expected_rp_id=self.host,
                expected_origin=self.origin,
                credential_public_key=passkey.public_key,
                credential_current_sign_count=passkey.sign_count,
                require_user_verification=True,
            )
        except UNREADABLE as error:
            raise PasskeyRefused(type(error).__name__) from None
        return found.new_sign_count


def relying_party(portal: Portal) -> RelyingParty | None:
    """None where browsers allow no passkeys: the portal's host is an IP address."""
    host = urlsplit(portal.url).hostname or ""
    try:
        ip_address(host)
    except ValueError:
        return RelyingParty(host, portal.url, portal.title) if host else None
    return None


def credential_of(answer: str) -> bytes:
    """The passkey that an answer is by. Raises PasskeyRefused."""
    try:
        return base64url_to_bytes(_read(answer)["rawId"])
    except UNREADABLE as error:
        raise PasskeyRefused(type(error).__name__) from None


def new_bytes() -> bytes:
    """256 random bits: a challenge, or what a device stores instead of a name."""
    return secrets.token_bytes(BYTES)


def _read(answer: str) -> dict[str, Any]:
    try:
        found = json.loads(answer[:MOST_TEXT])
    except (ValueError, RecursionError):
        raise PasskeyRefused("no JSON") from None
    if not isinstance(found, dict):
        raise PasskeyRefused("no JSON object")
    return found
