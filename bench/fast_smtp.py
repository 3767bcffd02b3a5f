"""A minimal, fast mail server in a process of its own: accepts and counts every mail.

    python -m bench.fast_smtp [FOLDER]

With the folder of a certificate (devkit.mailbox) it requires STARTTLS. It prints its port on a line; on
SIGTERM it prints a line {return address: count} and ends.
"""

import asyncio
import json
import ssl
import sys
from collections import Counter
from pathlib import Path
from typing import cast

from devkit.mailbox import identity_of
from process.signals import stop_requested

taken: Counter[str] = Counter()


class Talk(asyncio.Protocol):
    """One connection."""

    def __init__(self, identity: ssl.SSLContext | None) -> None:
        self.rest = b""
        self.in_data = False
        self.identity = identity
        self.handshake: asyncio.Task[None] | None = None
        self.in_handshake = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.write(b"220 fast\r\n")

    def data_received(self, data: bytes) -> None:
        self.rest += data
        while not self.in_handshake and self.step():
            pass

    def step(self) -> bool:
        """Answer the next command, or accept the next mail, if it is complete."""
        head, separator, rest = self.rest.partition(b"\r\n.\r\n" if self.in_data else b"\r\n")
        if not separator:
            return False
        self.rest = rest
        if self.in_data:
            self.in_data = False
            self.transport.write(b"250 ok\r\n")
        else:
            self.answer(head)
        return True

    def answer(self, command: bytes) -> None:
        match command[:4].upper(), self.identity:
            case b"EHLO", ssl.SSLContext():
                self.transport.write(b"250-fast\r\n250 STARTTLS\r\n")
            case b"STAR", ssl.SSLContext() as identity:
                self.transport.pause_reading()  # the next bytes belong to the TLS handshake
                self.transport.write(b"220 go on\r\n")
                self.in_handshake = True
                self.handshake = asyncio.create_task(self.encrypt(identity))
            case b"MAIL", ssl.SSLContext():
                self.transport.write(b"530 5.7.0 STARTTLS first\r\n")
            case b"MAIL", None:
                taken[command.split(b"<")[1].split(b">")[0].decode()] += 1
                self.transport.write(b"250 ok\r\n")
            case b"DATA", _:
                self.in_data = True
                self.transport.write(b"354 go on\r\n")
            case _:
                self.transport.write(b"250 ok\r\n")

    async def encrypt(self, identity: ssl.SSLContext) -> None:
        """Continue as a server without STARTTLS, over TLS.

        Data that is decrypted before start_tls() returns is answered afterwards, never in plain text.
        """
        self.identity = None
        loop = asyncio.get_running_loop()
        tunnel = await loop.start_tls(self.transport, self, identity, server_side=True)
        self.transport = cast("asyncio.Transport", tunnel)
        self.in_handshake = False
        self.data_received(b"")


async def main() -> None:
    loop = asyncio.get_running_loop()
    stop = stop_requested()
    identity = identity_of(Path(sys.argv[1])) if len(sys.argv) > 1 else None
    server = await loop.create_server(lambda: Talk(identity), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await stop.wait()
    print(json.dumps(taken), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
