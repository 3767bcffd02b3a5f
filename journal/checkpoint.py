"""A checkpoint: what is open, so that nothing before it is needed. Each segment begins with one.

Every ten minutes there is another one in the middle: a call that it does not name has ended, even if the
entry of its end is damaged.

    {"kind":"checkpoint","node":...,"after":...,"heartbeat":...,"open":[[entry, ...], ...]}

`open`: all entries of each open call; `after`: the segment of the records before it; `heartbeat`: the latest,
or null.
"""

import json
from collections.abc import Iterable, Sequence

from msgspec import DecodeError, Raw, Struct
from msgspec.json import Decoder

from journal.codec import UnreadableEntry

BEGINNING = b'{"kind":"checkpoint"'


class Checkpoint(Struct, frozen=True):
    """Raw payloads: those of each open call, and that of the latest heartbeat, or b""."""

    open: tuple[tuple[bytes, ...], ...]
    heartbeat: bytes = b""


class _OnDisk(Struct):
    open: list[list[Raw]]
    heartbeat: Raw | None = None


_decode = Decoder(_OnDisk).decode


def checkpoint(node: str, after: str, open_calls: Iterable[Sequence[bytes]], heartbeat: bytes) -> bytes:
    """Join text that is JSON already: a thousand open calls (2 MB) cost the event loop nothing.

    `node` and `after`: plain ASCII, without quotes.
    """
    calls = b",".join(b"[%b]" % b",".join(payloads) for payloads in open_calls)
    head = BEGINNING + f',"node":"{node}","after":"{after}"'.encode("ascii")
    return b'%b,"heartbeat":%b,"open":[%b]}' % (head, heartbeat or b"null", calls)


def is_checkpoint(payload: bytes) -> bool:
    return payload.startswith(BEGINNING)


def decode_checkpoint(payload: bytes) -> Checkpoint:
    """Raises UnreadableEntry."""
    try:
        content = _decode(payload)
    except DecodeError:
        return _decode_slowly(payload)
    heartbeat = bytes(content.heartbeat) if content.heartbeat is not None else b""
    return Checkpoint(
        tuple(tuple(bytes(entry) for entry in call) for call in content.open),
        b"" if heartbeat == b"null" else heartbeat,
    )


def _decode_slowly(payload: bytes) -> Checkpoint:
    """msgspec refuses an escaped lone surrogate, which the standard library reads."""
    try:
        content = json.loads(payload)
        heartbeat = content.get("heartbeat")
        return Checkpoint(
            tuple(tuple(_line(entry) for entry in call) for call in content["open"]),
            _line(heartbeat) if heartbeat else b"",
        )
    except (ValueError, KeyError, TypeError) as error:
        raise UnreadableEntry(f"a checkpoint: {error}") from None


def _line(entry: object) -> bytes:
    return json.dumps(entry, separators=(",", ":")).encode("ascii")
