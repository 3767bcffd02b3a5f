"""A mail server as fast as can be, in a process of its own: takes everything, and counts how often.

    python -m tests.store.fast_smtp

Writes its port as a line; SIGTERM: writes one line more, {return address: times}, and ends.
"""

import asyncio
import json
import signal
from collections import Counter

taken: Counter[str] = Counter()


class Talk(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self.rest = b""
        self.in_data = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(b"220 fast\r\n")

    def data_received(self, data: bytes) -> None:
        self.rest += data
        while self.step():
            pass

    def step(self) -> bool:
        """Answer the next command, or take the next mail, if all of it is there."""
        head, found, rest = self.rest.partition(b"\r\n.\r\n" if self.in_data else b"\r\n")
        if not found:
            return False
        self.rest = rest
        if self.in_data or head[:4] != b"DATA":
            self.in_data = False
            self.transport.write(b"250 ok\r\n")
        else:
            self.in_data = True
            self.transport.write(b"354 go on\r\n")
        if head[:4] == b"MAIL":
            taken[head.split(b"<")[1].split(b">")[0].decode()] += 1
        return True


async def main() -> None:
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, told.set)
    server = await loop.create_server(Talk, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await told.wait()
    print(json.dumps(taken), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
