"""Two telephones whose clocks never slip: what they say is on the wire to the instant, whatever else goes on.

A process of its own, real-time where that is allowed: `python -m tests.live.speakers` prints the ports that
its telephones 0 and 1 send from; a line `0 PORT` lets that one speak to a port of this host. Both say the
same bursts of a tone at the same time, one at the beginning of every second; late, they say at once what is
due, as a network does.
"""

import io
import json
import os
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import numpy as np
import soundfile

from devkit.audio import RATE, tone

FRAME = 160  # samples, 20 ms
BURST_HZ, BURST_SECONDS = 1000.0, 0.2
PCMA = 8
HISS = 24  # a line is never quite silent: digital silence is Asterisk's


@dataclass
class Speakers:
    """The process, told where to speak to. `ports`: where its telephones are, as their SDP says."""

    process: "subprocess.Popen[str]"
    ports: list[int]

    def speak(self, telephone: int, port: int) -> None:
        """Let that telephone (0, 1) speak to `port` of this host."""
        assert self.process.stdin is not None
        print(telephone, port, file=self.process.stdin, flush=True)


@contextmanager
def speakers() -> Iterator[Speakers]:
    """Two telephones; they are silent when the block ends."""
    command = [sys.executable, "-m", "tests.live.speakers"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Speakers(process, json.loads(process.stdout.readline()))
        finally:
            process.kill()


def main() -> None:
    """Speak until the input ends."""
    with suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(20))
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    print(json.dumps([one.getsockname()[1] for one in sockets]), flush=True)
    second = one_second()
    for line in sys.stdin:
        telephone, port = map(int, line.split())
        told = (sockets[telephone], ("127.0.0.1", port), second)
        threading.Thread(target=speak, args=told, daemon=True).start()


def speak(out: socket.socket, to: tuple[str, int], second: bytes) -> None:
    """RTP (RFC 3550), a packet of A-law every 20 ms of the machine's monotonic clock."""
    sample = round(time.monotonic() * RATE) // FRAME * FRAME
    for sequence in range(1 << 31):
        time.sleep(max(sample / RATE - time.monotonic(), 0))  # the pace of speech
        at = sample % RATE
        head = struct.pack("!BBHII", 0x80, PCMA, sequence & 0xFFFF, sample & 0xFFFFFFFF, to[1])
        out.sendto(head + second[at : at + FRAME], to)
        sample += FRAME


def one_second() -> bytes:
    """A burst and the hiss after it, as A-law."""
    burst = tone((BURST_HZ,), round(BURST_SECONDS * RATE))
    hiss = np.resize(np.array([HISS, -HISS], np.int16), RATE - len(burst))
    written = io.BytesIO()
    soundfile.write(written, np.concatenate([burst, hiss]), RATE, format="RAW", subtype="ALAW")
    return written.getvalue()


if __name__ == "__main__":
    main()
