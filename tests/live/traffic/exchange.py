"""The carrier in front of the processes' telephones: hands each call to the process that has its destination.

What it hands on carries the instant at which the kernel had it, so a late exchange makes no telephone late.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from devkit.wire import Message
from tests.live.traffic.agent import FORWARDED
from tests.live.traffic.instants import Address, Datagrams


class Exchange:
    """`homes`: for each destination the index of its process. A process tells by its index where it is."""

    def __init__(self, port: int, homes: Mapping[str, int]) -> None:
        self.strays: list[str] = []  # what was for nobody
        self._homes = homes
        self._processes: dict[int, Address] = {}
        self._reported = asyncio.Event()
        self._datagrams = Datagrams(port)
        asyncio.get_running_loop().add_reader(self._datagrams, self._take)

    @property
    def address(self) -> Address:
        return self._datagrams.address

    async def reached(self, count: int) -> None:
        """Wait until so many processes have said where they are."""
        while len(self._processes) < count:
            self._reported.clear()
            await self._reported.wait()

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._datagrams)
        self._datagrams.close()

    def _take(self) -> None:
        for data, sender, at in self._datagrams.received():
            if data.isdigit():
                self._processes[int(data)] = sender
                self._reported.set()
            else:
                self._hand_on(data, at)

    def _hand_on(self, data: bytes, at: float) -> None:
        message = Message.read(data)
        home = self._homes.get(message.number)
        if home is None:
            self.strays.append(message.start)
        else:
            self._datagrams.send(FORWARDED.pack(at) + data, self._processes[home])


@asynccontextmanager
async def exchange(port: int, homes: Mapping[str, int]) -> AsyncIterator[Exchange]:
    """On the port that the service sends its calls to."""
    it = Exchange(port, homes)
    try:
        yield it
    finally:
        it.close()
