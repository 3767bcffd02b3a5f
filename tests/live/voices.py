"""The sound of a bare telephone: packets of A-law that a test starts, changes and stops, and keys."""

import io
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

import soundfile

from devkit.audio import RATE, tone

FRAME = 160  # samples, 20 ms
PCMA, EVENT = 8, 101
KEYS = "0123456789*#"
KEY_FRAMES = 5  # 100 ms


class Voice:
    """Says a tone from when it knows where to; None: silent, without a packet. `keys`: those it was sent."""

    def __init__(self, hz: int) -> None:
        self.hz: int | None = hz
        self.to: tuple[str, int] | None = None
        self.keys = ""
        self.packets = 0
        self._pressed: deque[str] = deque()
        self._last_key = 0
        self._over = threading.Event()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.1)
        self.port: int = self._socket.getsockname()[1]
        self._threads = [threading.Thread(target=act, daemon=True) for act in (self._speak, self._listen)]
        for thread in self._threads:
            thread.start()

    def press(self, keys: str) -> None:
        """Press these keys, 100 ms each (RFC 4733), saying nothing meanwhile."""
        self._pressed.extend(keys)

    def stop(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
        self._socket.close()

    def _speak(self) -> None:
        second = {hz: alaw(hz) for hz in range(200, 2000, 200)}
        sample = round(time.monotonic() * RATE) // FRAME * FRAME
        sequence = 0
        while not self._over.wait(max(sample / RATE - time.monotonic(), 0)):
            if self.to and self._pressed:
                sequence, sample = self._press(self._pressed.popleft(), sequence, sample)
            elif self.to and self.hz:
                at = sample % RATE
                self._send(PCMA, sequence, sample, second[self.hz][at : at + FRAME])
                sequence += 1
            sample += FRAME

    def _press(self, key: str, sequence: int, sample: int) -> tuple[int, int]:
        """Send the key's packets, its end three times; the next sequence number, and the last sample."""
        for frame in range(1, KEY_FRAMES + 1):
            last = frame == KEY_FRAMES
            for _ in range(3 if last else 1):
                told = struct.pack("!BBH", KEYS.index(key), 0x80 * last | 10, frame * FRAME)
                self._send(EVENT, sequence, sample, told)
                sequence += 1
            self._over.wait(FRAME / RATE)
        return sequence, sample + (KEY_FRAMES - 1) * FRAME

    def _send(self, kind: int, sequence: int, sample: int, data: bytes) -> None:
        head = struct.pack("!BBHII", 0x80, kind, sequence & 0xFFFF, sample & 0xFFFFFFFF, self.port)
        assert self.to
        self._socket.sendto(head + data, self.to)

    def _listen(self) -> None:
        while not self._over.is_set():
            try:
                packet = self._socket.recv(2000)
            except TimeoutError:
                continue
            kind, stamp = packet[1] & 0x7F, struct.unpack("!I", packet[4:8])[0]
            if kind == PCMA:
                self.packets += 1
            elif kind == EVENT and stamp != self._last_key:
                self._last_key = stamp
                self.keys += KEYS[packet[12]]


@contextmanager
def voice(hz: int) -> Iterator[Voice]:
    """A voice that is silent when the block ends."""
    one = Voice(hz)
    try:
        yield one
    finally:
        one.stop()


def alaw(hz: int) -> bytes:
    """A second of the tone."""
    written = io.BytesIO()
    soundfile.write(written, tone((hz,), RATE), RATE, format="RAW", subtype="ALAW")
    return written.getvalue()
