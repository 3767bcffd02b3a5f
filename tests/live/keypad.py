"""A telephone that presses keys faster than people do: RTP telephone events (RFC 4733), to the instant."""

import socket
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tests.live.sip import Agent, Call, media_of

EVENT = 101  # the payload type in tests.live.sip.SDP
KEYS = "0123456789*#"
UNIT = 8  # timestamps a millisecond
END, VOLUME = 0x80, 10


@contextmanager
def pressing(number: str, sip: str) -> Iterator["Keypad"]:
    """A call to `number` that has been answered."""
    with Agent() as agent, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as media:
        media.bind(("127.0.0.1", 0))
        call = Call(agent, sip, number, media_port=media.getsockname()[1]).invite()
        assert call.final() == 200
        assert call.answer is not None
        yield Keypad(media, media_of(call.answer.text))
        call.hang_up()


class Keypad:
    """The keys of a telephone that has been answered by `to`."""

    def __init__(self, media: socket.socket, to: tuple[str, int]) -> None:
        self._media, self._to = media, to
        self._sequence = 0

    def press(self, keys: Sequence[str], a_second: float) -> None:
        """Press these keys, at most so many a second; each is held for half of its time. Blocks.

        A late key does not shorten the next one: Asterisk drops what is too short for a key.
        """
        half = 0.5 / a_second
        held = round(1000 * half) * UNIT
        for n, key in enumerate(keys):
            at = round(n * 1000 / a_second) * UNIT
            self._send(key, at, 0, first=True)
            time.sleep(half)  # how long it is held
            for _ in range(3):  # the end is sent three times: RFC 4733, 2.5.1.4
                self._send(key, at, held, end=True)
            time.sleep(half)  # the pace of the keys

    def _send(self, key: str, at: int, held: int, *, first: bool = False, end: bool = False) -> None:
        self._sequence += 1
        kind = EVENT | (0x80 if first else 0)
        head = struct.pack("!BBHII", 0x80, kind, self._sequence & 0xFFFF, at & 0xFFFFFFFF, 7)
        event = struct.pack("!BBH", KEYS.index(key), (END if end else 0) | VOLUME, min(held, 0xFFFF))
        self._media.sendto(head + event, self._to)
