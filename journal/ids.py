"""The ids of calls and of what belongs to them: the engine chooses each before the request that names it.

    call            a UUIDv7
    leg             <call>-b42            an attempt at a destination, by the number of its channel
                    <call>-n100           one that Asterisk could not dial at all
    message         <call>-vm1            and the file it is recorded to
    recording       <call>-rec1           and its files
    missed call     <call>-missed         a message without sound

Nothing that a caller sent is part of an id.
"""

import hashlib
import re
import time
import uuid
from datetime import datetime

# As texts, to be part of a longer pattern; CALL_ID and the others match a whole id.
CALL = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
MESSAGE = f"{CALL}-(?:vm[0-9]+|missed)"

CALL_ID = re.compile(CALL, re.ASCII)
LEG_ID = re.compile(f"(?P<call>{CALL})-[a-z]+[0-9]*", re.ASCII)
AUDIO_ID = re.compile(f"(?P<call>{CALL})-(?P<kind>vm|rec)[0-9]+", re.ASCII)
MESSAGE_ID = re.compile(MESSAGE, re.ASCII)


def call_id_of(channel: str, node: str, began: datetime | None = None) -> str:
    """The id of the call that came in on this channel of this node: the same for every reader of it.

    A UUIDv7 (RFC 9562 5.7; Python 3.13 makes none). Asterisk's channel ids end in the second they began and a
    number: NODE-1795776979.0. `began`: only of a call whose channel has the id of an earlier one.
    """
    seconds = re.search(r"(\d{9,11})\.\d+$", channel, re.ASCII)
    told = [node, channel, *([began.isoformat()] if began else [])]
    digest = hashlib.sha256("\n".join(told).encode()).digest()
    return _uuid7(int(seconds[1]) * 1000 if seconds else time.time_ns() // 1_000_000, digest[:10])


def leg_id_of(call: str, channel: str) -> str:
    """The attempt at a destination that has this channel: the same for every reader of it."""
    return f"{call}-b{channel.rpartition('.')[2]}"


def undialled_leg_id(call: str, ring: int, place: int) -> str:
    """A destination that Asterisk could not dial at all. `ring` counts from 1, its `place` in it from 0."""
    return f"{call}-n{ring * 100 + place}"


def message_id(call: str, n: int = 1) -> str:
    return f"{call}-vm{n}"


def missed_id(call: str) -> str:
    """The message that tells the owner of a missed call."""
    return f"{call}-missed"


def recording_id(call: str, n: int = 1) -> str:
    return f"{call}-rec{n}"


def _uuid7(milliseconds: int, rest: bytes) -> str:
    value = (milliseconds & (1 << 48) - 1) << 80 | int.from_bytes(rest)
    value = value & ~(0xF << 76) | 7 << 76  # version
    value = value & ~(0x3 << 62) | 2 << 62  # variant
    return str(uuid.UUID(int=value))
