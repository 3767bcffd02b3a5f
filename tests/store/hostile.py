"""What strangers send to the listener for returned mail, and the heartbeat of the loop that bears it."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Self

import aiosmtplib

KB64 = 60_000  # folded, and with what the envelope adds, under 65,536


def bombs(size: int) -> Iterator[tuple[str, bytes]]:
    """Mails of this size that cost a parser more than their size should."""
    yield "open quote", b'Content-Type: multipart/mixed; a="' + b";" * size
    yield "parameters", b"Content-Type: multipart/report; " + b"a=b; " * (size // 5)
    yield "semicolons", b"Content-Type: multipart/report" + b";" * size
    numbered = b"".join(b"; a*%d*=''x" % i for i in range(size // 12))
    yield "RFC 2231", b"Content-Type: multipart/report" + numbered
    yield "RFC 2231, one number", b"Content-Type: multipart/report" + b"; a*0=x" * (size // 7)
    yield "boundaries", b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\n" * (size // 7)
    yield "long boundary", b"Content-Type: multipart/mixed; boundary=" + b"b" * size
    yield "encoded words", b"Content-Type: " + b"=?utf-8?q?x?= " * (size // 14)
    yield "comments", b"Content-Type: " + b"(" * size
    yield "nested parts", b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" * (size // 50)
    yield "nested messages", b"Content-Type: message/rfc822\r\n\r\n" * (size // 32)
    yield (
        "statuses",
        b"Content-Type: message/delivery-status\r\n\r\n" + b"Action: failed\r\n\r\n" * (size // 18),
    )


def folded(content: bytes) -> bytes:
    """With no line over the 998 characters that SMTP allows: a folded header is the same header."""
    lines = [
        b"\r\n ".join(line[at : at + 900] for at in range(0, len(line), 900))
        for line in content.split(b"\r\n")
    ]
    return b"\r\n".join(lines) + b"\r\n"


# A quote that is never closed: every semicolon after it is a place where the parameter might end. Of all
# bombs of 64 kB that we know this is the most expensive: 1.6 s of CPU.
BOMB = folded(b'Content-Type: multipart/mixed; a="' + b";" * KB64 + b"\r\n\r\nx")


@dataclass
class Heart:
    """How often the loop came round, and the longest time it did not: CPU seconds of its thread, for a busy
    machine is not the loop's fault."""

    beats: int = 0
    longest: float = 0.0


@asynccontextmanager
async def beating(every: float = 0.01) -> AsyncIterator[Heart]:
    """Count while the block runs."""
    heart = Heart()

    async def beat() -> None:
        before = time.thread_time()
        while True:
            await asyncio.sleep(every)
            now = time.thread_time()
            heart.beats += 1
            heart.longest = max(heart.longest, now - before)
            before = now

    task = asyncio.create_task(beat())
    try:
        yield heart
    finally:
        task.cancel()
        await asyncio.wait({task})


class Talk:
    """An SMTP client that says what it likes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def open(cls, port: int, source: str = "127.0.0.1") -> Self:
        """From this address; every 127.x.y.z is one of ours."""
        return cls(*await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0)))

    async def answer(self) -> str:
        """The next one, its last line; empty once the connection has ended."""
        line = b"0-"
        with suppress(ConnectionError):
            while line[3:4] == b"-" or line == b"0-":
                line = await asyncio.wait_for(self.reader.readline(), 60)
        return line.decode().strip()

    async def say(self, line: str) -> str:
        self.writer.write(f"{line}\r\n".encode())
        return await self.answer()

    async def ended(self) -> None:
        """Until the server has ended the connection, whatever it says meanwhile. Raises TimeoutError."""
        async with asyncio.timeout(60):
            with suppress(ConnectionError):
                while await self.reader.read(65536):
                    pass

    def close(self) -> None:
        self.writer.transport.abort()


async def begun(port: int, to: str, sender: str = "") -> aiosmtplib.SMTP:
    """A mail for which nothing is left to say but its content."""
    client = aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False)
    await client.connect()
    await client.mail(sender)
    await client.rcpt(to)
    return client
