"""A UDP socket whose packets carry the kernel's instants: a process that is late does not make them late.

An instant is in seconds of the epoch, by the clock that Asterisk writes CEL with.
"""

import socket
import struct
import time
from collections.abc import Iterator
from contextlib import suppress

Address = tuple[str, int]
LOOPBACK = "127.0.0.1"
BUFFER = 8 << 20  # bytes: what comes in some seconds in which the process does not run

# Python has no names for these: linux/net_tstamp.h and asm-generic/socket.h.
SO_TIMESTAMPING, SO_RCVBUFFORCE, SO_RXQ_OVFL = 37, 33, 40
TX_SOFTWARE, RX_SOFTWARE, SOFTWARE, TSONLY = 1 << 1, 1 << 3, 1 << 4, 1 << 11
TIMESPEC = struct.Struct("@qq")
COUNT = struct.Struct("@I")
MOST = 4096  # bytes of a packet
ANCILLARY = 256
Ancillary = list[tuple[int, int, bytes]]


class Datagrams:
    """A socket on loopback. `dropped`: packets the kernel had no room for; what is measured is wrong then."""

    def __init__(self, port: int = 0) -> None:
        self.dropped = 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        wanted = TX_SOFTWARE | RX_SOFTWARE | SOFTWARE | TSONLY
        self._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPING, wanted)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_RXQ_OVFL, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)  # as much of it as anybody may
        with suppress(PermissionError):
            self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
        self._socket.bind((LOOPBACK, port))
        self.address: Address = self._socket.getsockname()

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, data: bytes | bytearray, to: Address) -> float:
        """Send it; when it left. On loopback it has arrived when this returns."""
        self._socket.sendto(data, to)
        with suppress(BlockingIOError):
            ancillary = self._socket.recvmsg(0, ANCILLARY, socket.MSG_ERRQUEUE)[1]
            return instant(ancillary)
        return time.time()  # the kernel keeps no instant where its error queue is full

    def received(self) -> Iterator[tuple[bytes, Address, float]]:
        """What has come: each packet, its sender, and when it came."""
        with suppress(BlockingIOError):
            while True:
                data, ancillary, _, sender = self._socket.recvmsg(MOST, ANCILLARY)
                for _, kind, value in ancillary:
                    if kind == SO_RXQ_OVFL:
                        self.dropped = COUNT.unpack(value)[0]
                yield data, sender, instant(ancillary)

    def close(self) -> None:
        self._socket.close()


def instant(ancillary: Ancillary) -> float:
    """When the kernel had the packet in hand."""
    for _, kind, value in ancillary:
        if kind == SO_TIMESTAMPING:
            seconds, nanoseconds = TIMESPEC.unpack_from(value)
            return float(seconds + nanoseconds / 1e9)
    return time.time()
