"""Ids are ours, chosen before the request they name."""

import os
import time
import uuid


def new_call_id() -> str:
    """A UUIDv7 (RFC 9562 5.7): 48 bits of Unix milliseconds, then chance. Python 3.13 has none of its own."""
    chance = int.from_bytes(os.urandom(10))
    value = (time.time_ns() // 1_000_000 & (1 << 48) - 1) << 80 | chance
    value = value & ~(0xF << 76) | 7 << 76  # version
    value = value & ~(0x3 << 62) | 2 << 62  # variant
    return str(uuid.UUID(int=value))
