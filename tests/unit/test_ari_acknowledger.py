"""What has come is acknowledged at once, and a stream of it not more often than every 3 ms."""

import asyncio
from socket import IPPROTO_TCP, TCP_QUICKACK
from typing import Any

import pytest

from engine.ari.acknowledger import TOGETHER_SECONDS, Acknowledger


class Socket:
    """Notes when it was told to acknowledge, seconds from the beginning."""

    def __init__(self) -> None:
        self.told: list[float] = []
        self.is_closed = False
        self._began = asyncio.get_running_loop().time()

    def fileno(self) -> int:
        return -1 if self.is_closed else 7

    def setsockopt(self, level: int, option: int, value: int) -> None:
        assert not self.is_closed
        assert (level, option, value) == (IPPROTO_TCP, TCP_QUICKACK, 1)
        self.told.append(round(asyncio.get_running_loop().time() - self._began, 4))


class Transport(asyncio.BaseTransport):
    def __init__(self, socket: Socket) -> None:
        super().__init__()
        self._socket = socket

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._socket if name == "socket" else default


@pytest.mark.looptime
async def test_the_first_is_acknowledged_at_once_and_what_follows_together() -> None:
    acknowledger = Acknowledger(Transport(socket := Socket()))
    for _ in range(7):
        acknowledger.received()
        await asyncio.sleep(0.0011)
    await asyncio.sleep(1)
    assert socket.told == [0, 0.003, 0.006, 0.009]
    acknowledger.received()
    await asyncio.sleep(TOGETHER_SECONDS)
    assert len(socket.told) == 5
    assert socket.told[-1] == pytest.approx(1.0077, abs=0.0005)


@pytest.mark.looptime
async def test_a_connection_that_has_gone_is_told_nothing() -> None:
    acknowledger = Acknowledger(Transport(socket := Socket()))
    for _ in range(2):  # the second is acknowledged 3 ms later
        acknowledger.received()
    socket.is_closed = True
    await asyncio.sleep(1)
    acknowledger.received()
    assert socket.told == [0]
    Acknowledger(None).received()
    await asyncio.sleep(1)
