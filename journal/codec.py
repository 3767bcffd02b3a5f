"""An entry as a line of the journal, and back."""

import json
from collections.abc import Callable
from typing import cast

from msgspec import DecodeError, convert, to_builtins
from msgspec.json import Decoder, Encoder

from journal.entries import Entry


class UnreadableEntry(ValueError):
    """A payload that is not an entry of this version: invalid JSON, an unknown kind or a wrong field."""


_encode = Encoder().encode
_decode: Callable[[bytes], Entry] = Decoder(Entry).decode


def kind_of(entry: Entry) -> str:
    """Return its `kind` on disk."""
    return str(entry.__struct_config__.tag)


def encode(entry: Entry) -> bytes:
    """Return one line of ASCII JSON. Raises ValueError if an instant has no time zone."""
    if entry.at is not None and entry.at.tzinfo is None:
        raise ValueError(f"{kind_of(entry)} of call {entry.call}: `at` has no time zone")
    try:
        payload = _encode(entry)
    except UnicodeEncodeError:  # a lone surrogate
        payload = b"\xff"
    if payload.isascii():
        return payload
    return json.dumps(to_builtins(entry), separators=(",", ":")).encode("ascii")


def decode(payload: bytes) -> Entry:
    """Raises UnreadableEntry."""
    try:
        entry = _decode(payload)
    except DecodeError as error:
        entry = _decode_slowly(payload, error)
    if entry.at is not None and entry.at.tzinfo is None:
        raise UnreadableEntry("`at` has no time zone")
    return entry


def _decode_slowly(payload: bytes, error: DecodeError) -> Entry:
    """Decode what msgspec refuses: an escaped lone surrogate, and null for a field without a value."""
    try:
        fields = json.loads(payload)
        known = {name: value for name, value in fields.items() if value is not None}
        return cast(Entry, convert(known, type=Entry))
    except (ValueError, AttributeError):  # ValidationError and JSONDecodeError are ValueErrors
        raise UnreadableEntry(str(error)) from None
