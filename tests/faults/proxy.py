"""A way to a server that can be cut, blocked or made slow, with the server itself untouched."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

CHUNK = 1 << 16
SMALL = 4096  # bytes: heads of answers, lists, errors


class Proxy:
    """Passes TCP connections on to a port of loopback.

    `slow`: seconds by which each chunk is late. `lies`: one bit of each large answer is another.
    """

    def __init__(self, to: int) -> None:
        self.to = to
        self.port = 0
        self.slow = 0.0
        self.lies = False
        self._refusing = False
        self._passing = asyncio.Event()
        self._passing.set()
        self._writers: set[asyncio.StreamWriter] = set()

    def cut(self) -> None:
        """Reset every connection that there is."""
        for writer in self._writers:
            writer.transport.abort()

    def refuse(self) -> None:
        """Reset every connection, those to come as well."""
        self._refusing = True
        self.cut()

    def swallow(self) -> None:
        """Connections stay, and nothing comes through any more: a black hole."""
        self._passing.clear()

    def heal(self) -> None:
        """Pass on again. What was swallowed is lost with its connection."""
        if not self._passing.is_set():
            self.cut()
        self._refusing, self.lies, self.slow = False, False, 0.0
        self._passing.set()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A connection, from its beginning to its end."""
        self._writers.add(writer)
        try:
            if not self._refusing:
                await self._passing.wait()
                there_reader, there = await asyncio.open_connection("127.0.0.1", self.to)
                self._writers.add(there)
                try:
                    await self._both(reader, there, there_reader, writer)
                finally:
                    self._writers.discard(there)
                    there.transport.abort()
        except OSError:
            pass
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _both(
        self,
        here: asyncio.StreamReader,
        to_there: asyncio.StreamWriter,
        there: asyncio.StreamReader,
        to_here: asyncio.StreamWriter,
    ) -> None:
        with suppress(OSError, ExceptionGroup):
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(here, to_there))
                group.create_task(self._pump(there, to_here, answers=True))

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool = False
    ) -> None:
        while data := await reader.read(CHUNK):
            if answers and self.lies and len(data) > SMALL:
                data = data[:-1] + bytes([data[-1] ^ 1])
            if self.slow:
                await asyncio.sleep(self.slow)  # the fault itself
            await self._passing.wait()
            writer.write(data)
            await writer.drain()
        raise ConnectionResetError  # the other direction ends with this one


@asynccontextmanager
async def proxy(to: int) -> AsyncIterator[Proxy]:
    """A way to that port, on a port of its own."""
    it = Proxy(to)
    server = await asyncio.start_server(it.carry, "127.0.0.1", 0)
    it.port = server.sockets[0].getsockname()[1]
    try:
        yield it
    finally:
        server.close()
        it.heal()
        it.cut()
