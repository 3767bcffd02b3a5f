"""The sound of a process's telephones: one socket and one timer for all of them, packets made beforehand.

Every packet of A-law names its telephone, and Asterisk passes the sound of a talk on as it is: who hears it
knows whom they hear. What names no telephone is an announcement.
"""

import asyncio
import secrets
import struct
from collections import deque
from dataclasses import dataclass, field

from devkit.audio import RATE, alaw, tone
from tests.live.traffic.instants import Address, Datagrams

FRAME = 160  # samples, 20 ms: whole periods of a multiple of 50 Hz
FRAME_SECONDS = FRAME / RATE
PCMA, EVENT = 8, 101
RTP = struct.Struct("!BBHIII")  # the head (RFC 3550), and our first 4 bytes of sound
NAME = struct.Struct("!I")
KEYS = "0123456789*#"
KEY_FRAMES, KEY_ENDS = 5, 3  # 100 ms, and its end said three times (RFC 4733)
BETWEEN_KEYS = 3  # frames
RECENT = 10  # packets, 0.2 s
SAME_SOUND = 0.5  # s without a packet end a sound: a busy Asterisk sends some packets late


@dataclass(eq=False)
class Stream:
    """The sound of one telephone. Instants: `said`, of its own packets; `heard`, of others' by their names;
    `sounds`, first and last of each other sound; `pressed`, of each key when it was let go."""

    name: int
    said: list[float] = field(default_factory=list)
    heard: dict[int, list[float]] = field(default_factory=dict)
    sounds: list[list[float]] = field(default_factory=list)
    pressed: list[tuple[str, float]] = field(default_factory=list)
    recent: deque[bytes] = field(default_factory=lambda: deque(maxlen=RECENT))  # packets of those sounds
    to: Address | None = None
    _sequence: int = 0
    _keys: deque[tuple[str, int]] = field(default_factory=deque)  # frames to send: a key and which of it

    def press(self, keys: str) -> None:
        """Press these keys, saying nothing meanwhile."""
        for key in keys:
            self._keys.extend((key, frame) for frame in range(1, KEY_FRAMES + KEY_ENDS))
            self._keys.extend(("", 0) for _ in range(BETWEEN_KEYS))

    def say(self, out: Datagrams, sample: int, sound: bytes) -> None:
        """The packet of this frame: what is left of a key, or sound."""
        if self.to is None:
            return
        if self._keys:
            self._say_key(*self._keys.popleft(), out, sample)
        else:
            self.said.append(out.send(self._head(PCMA, sample, self.name) + sound, self.to))

    def hear(self, payload: bytes, at: float, known: bytes) -> None:
        """A packet of sound has come; `known`: the sound of a telephone."""
        if payload.endswith(known):
            self.heard.setdefault(NAME.unpack_from(payload)[0], []).append(at)
            return
        self.recent.append(payload)
        if self.sounds and at - self.sounds[-1][1] < SAME_SOUND:
            self.sounds[-1][1] = at
        else:
            self.sounds.append([at, at])

    def _say_key(self, key: str, frame: int, out: Datagrams, sample: int) -> None:
        if not key or self.to is None:
            return
        ends, lasted = frame >= KEY_FRAMES, min(frame, KEY_FRAMES)
        event = KEYS.index(key) << 24 | 0x80 * ends << 16 | 10 << 16 | lasted * FRAME
        began = sample - (frame - 1) * FRAME
        at = out.send(self._head(EVENT, began, event), self.to)
        if frame == KEY_FRAMES:
            self.pressed.append((key, at))

    def _head(self, kind: int, sample: int, first: int) -> bytes:
        self._sequence += 1
        stamp = sample & 0xFFFFFFFF
        return RTP.pack(0x80, kind, self._sequence & 0xFFFF, stamp, self.name, first)


class Media:
    """The sound of all telephones of a process. `latest`: by how much the timer was late at most, s."""

    def __init__(self) -> None:
        self.latest = 0.0
        self._datagrams = Datagrams()
        self._streams: dict[Address, Stream] = {}
        self._sound = alaw(tone((600,), FRAME))[4:]
        asyncio.get_running_loop().add_reader(self._datagrams, self._take)

    @property
    def port(self) -> int:
        return self._datagrams.address[1]

    @property
    def dropped(self) -> int:
        return self._datagrams.dropped

    def stream(self) -> Stream:
        """A telephone's sound, not connected yet."""
        return Stream(secrets.randbits(32))

    def connect(self, stream: Stream, to: Address) -> None:
        """Let it be heard there, and hear what comes from there."""
        stream.to = to
        self._streams[to] = stream

    def disconnect(self, stream: Stream) -> None:
        """Its call is over. Asterisk may have given the port to another one."""
        if stream.to is not None and self._streams.get(stream.to) is stream:
            del self._streams[stream.to]
        stream.to = None

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._datagrams)
        self._datagrams.close()

    async def speak(self) -> None:
        """Say a frame of every telephone every 20 ms; late, say at once what is due."""
        loop, sample = asyncio.get_running_loop(), secrets.randbits(16)
        due = loop.time()
        while True:
            await asyncio.sleep(max(due - loop.time(), 0))
            self.latest = max(self.latest, loop.time() - due)
            for stream in list(self._streams.values()):
                stream.say(self._datagrams, sample, self._sound)
            due, sample = due + FRAME_SECONDS, sample + FRAME

    def _take(self) -> None:
        for data, sender, at in self._datagrams.received():
            stream = self._streams.get(sender)
            if stream is not None and len(data) > 12 and data[1] & 0x7F == PCMA:
                stream.hear(data[12:], at, self._sound)
