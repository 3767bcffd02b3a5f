"""The ids of a call and of what belongs to it. The engine chooses each id before the request that names it.

    call            a UUIDv7
    leg             <call>-b42            an attempt at a destination; 42 is the number of its channel
                    <call>-n100           a destination that Asterisk could not dial at all
    message         <call>-vm1            also the name of the file that it is recorded to
    recording       <call>-rec1           also the beginning of the names of its files
    missed call     <call>-missed         a message without audio
    whisper         <call>-w1             the channel that plays a warning to a caller who leaves a message
    playback        <call>-p0a1b2c3d      a prompt while it is played; of a whisper <call>-w1-p1

No id contains anything that a caller sent. Patterns of these ids stand in this module only.
"""

import hashlib
import re
import time
import uuid
from datetime import datetime
from secrets import token_hex

# As texts, to be part of a longer pattern.
CALL = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
MESSAGE = f"{CALL}-(?:vm[0-9]+|missed|out[0-9]+)"

# For a whole id.
AUDIO_ID = re.compile(f"(?P<call>{CALL})-(?P<kind>vm|rec)[0-9]+", re.ASCII)
MESSAGE_ID = re.compile(MESSAGE, re.ASCII)
# Channels that an engine creates: whispers; legs and snoops too, by the engine of adc1be6.
OWN_CHANNEL_ID = re.compile(f"{CALL}-[a-z]+[0-9]*", re.ASCII)


def call_id_of(channel: str, node: str, began: datetime | None = None) -> str:
    """Return the id of the call that came in on this channel of this node: the same id for every reader.

    A UUIDv7 (RFC 9562 5.7; Python 3.13 has no function for it). Asterisk's channel ids end in the second in
    which the channel began, and a number: NODE-1795776979.0. Give `began` only for a call whose channel has
    the id of an earlier channel.
    """
    seconds = re.search(r"(\d{9,11})\.\d+$", channel, re.ASCII)
    parts = [node, channel, *([began.isoformat()] if began else [])]
    digest = hashlib.sha256("\n".join(parts).encode()).digest()
    return _uuid7(int(seconds[1]) * 1000 if seconds else time.time_ns() // 1_000_000, digest[:10])


def leg_id_of(call: str, channel: str) -> str:
    """Return the id of the leg that has this channel: the same id for every reader."""
    return f"{call}-b{channel.rpartition('.')[2]}"


def undialled_leg_id(call: str, ring: int, place: int) -> str:
    """Return the id of a leg that Asterisk could not dial. `ring` counts from 1, its `place` in it from 0."""
    return f"{call}-n{ring * 100 + place}"


def message_id(call: str, n: int = 1) -> str:
    return f"{call}-vm{n}"


def missed_id(call: str) -> str:
    """Return the id of the message that reports a missed call to the owner."""
    return f"{call}-missed"


def left_out_id(call: str, n: int) -> str:
    """Return the id of the mail that a destination, the n-th in this call, is left out from now on."""
    return f"{call}-out{n}"


def recording_id(call: str, n: int = 1) -> str:
    return f"{call}-rec{n}"


def whisper_id(call: str) -> str:
    return f"{call}-w1"


def whisper_playback_id(whisper: str) -> str:
    return f"{whisper}-p1"


def playback_id(call: str) -> str:
    """Return an id that no earlier engine has used: an event of its playback must not end ours."""
    return f"{call}-p{token_hex(4)}"


def _uuid7(milliseconds: int, rest: bytes) -> str:
    value = (milliseconds & (1 << 48) - 1) << 80 | int.from_bytes(rest)
    value = value & ~(0xF << 76) | 7 << 76  # version
    value = value & ~(0x3 << 62) | 2 << 62  # variant
    return str(uuid.UUID(int=value))
