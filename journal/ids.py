"""Ids are ours, chosen before the request they name."""

import hashlib
import re
import time
import uuid


def call_id_of(channel: str, node: str) -> str:
    """The id of the call that came in on this channel of this node, the same whoever asks.

    A UUIDv7 (RFC 9562 5.7; Python 3.13 makes none). Asterisk's ids of channels end in the second they began
    and a number: NODE-1795776979.0.
    """
    seconds = re.search(r"(\d{9,11})\.\d+$", channel, re.ASCII)
    digest = hashlib.sha256(f"{node}\n{channel}".encode()).digest()
    return _uuid7(int(seconds[1]) * 1000 if seconds else time.time_ns() // 1_000_000, digest[:10])


def _uuid7(milliseconds: int, rest: bytes) -> str:
    value = (milliseconds & (1 << 48) - 1) << 80 | int.from_bytes(rest)
    value = value & ~(0xF << 76) | 7 << 76  # version
    value = value & ~(0x3 << 62) | 2 << 62  # variant
    return str(uuid.UUID(int=value))
