"""Reserve blocks of ports for the embedded parts, so that several runs do not take each other's."""

import random
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

# Below 32768, where Linux's ephemeral ports begin: no process gets a port of a block by chance. Blocks are
# small, because most reservations are: with 22 blocks of 1,024 the tests' four processes ran out of them.
BLOCKS = range(10240, 32768, 256)
SINGLES = 24  # at the end: taken first for what fits into one block, so that neighbours stay free elsewhere


class NoPorts(Exception):
    """Every block of ports on this machine is taken."""


@contextmanager
def reserve_ports(count: int) -> Iterator[range]:
    """Keep `count` neighbouring ports, the first of them odd, while the context lasts.

    A bound socket on the port before them is the lock: the kernel releases it however we end. More than 255
    ports take several blocks, and the locks of the later blocks are within the range: its user must skip
    ports that are taken, as Asterisk does for RTP.
    """
    blocks = -(-(count + 1) // BLOCKS.step)
    starts = BLOCKS[: len(BLOCKS) - blocks + 1]
    tried = random.sample(starts, len(starts))  # not a secret: random only to avoid other runs
    if blocks == 1:
        tried.sort(key=lambda start: start < BLOCKS[-SINGLES])
    with ExitStack() as held:
        start = next((start for start in tried if _hold(held, start, blocks)), None)
        if start is None:
            raise NoPorts(
                f"no {blocks} of {len(BLOCKS)} blocks of ports are free; stop another run of callengine"
            )
        yield range(start + 1, start + 1 + count)


def _hold(held: ExitStack, start: int, blocks: int) -> bool:
    with ExitStack() as attempt:
        for block in range(start, start + blocks * BLOCKS.step, BLOCKS.step):
            lock = attempt.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            try:
                lock.bind(("0.0.0.0", block))
            except OSError:
                return False
            if not all(_is_free(port) for port in range(block + 1, block + 5)):
                return False
        held.enter_context(attempt.pop_all())
        return True


def _is_free(port: int) -> bool:
    """Whether no datagram and no stream socket has the port: SIP needs the one, ARI the other."""
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind == socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("0.0.0.0", port))
            except OSError:
                return False
    return True
