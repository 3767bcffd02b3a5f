"""Mail servers as they are and as they should not be: each does as it is told, and keeps what it saw."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field

import trustme

from mailer.smtp import Server

# `reply(verb, argument)`: what is said instead of the usual; None for the usual.
Reply = Callable[[str, str], str | None]


@dataclass
class Ways:
    """How a server behaves. `breaks`: the handshake ends in a reset; `cut`: the connection ends there."""

    tls: ssl.SSLContext | None = None
    breaks: bool = False
    offers: tuple[str, ...] = ("8BITMIME",)
    wants_login: bool = False
    banner: str = "220 mail.example ESMTP"
    endless_banner: bool = False
    silent_after: str = ""  # from this verb on nothing is said any more
    cut_after: str = ""  # a verb; 354: nothing is read; dot: the mail is taken, its answer is not sent
    reply: Reply = lambda verb, argument: None


@dataclass(frozen=True)
class Received:
    sender: str
    recipients: tuple[str, ...]
    content: bytes
    tls: str  # none, or the version


@dataclass
class MailServer:
    """`plain`: every byte that came unencrypted; `most`: how many connections there were at once."""

    ways: Ways
    port: int = 0
    mails: list[Received] = field(default_factory=list)
    plain: bytearray = field(default_factory=bytearray)
    commands: list[str] = field(default_factory=list)
    live: int = 0
    most: int = 0
    came: asyncio.Event = field(default_factory=asyncio.Event)
    tired: asyncio.Event = field(default_factory=asyncio.Event)  # of being silent: it hangs up

    @property
    def server(self) -> Server:
        return Server("localhost", self.port)

    async def has(self, mails: int, seconds: float) -> None:
        """Until so many have come. Raises TimeoutError."""
        await self._until(lambda: len(self.mails) >= mails, seconds)

    async def hears(self, verb: str, seconds: float, times: int = 1) -> None:
        """Until that has been said so many times. Raises TimeoutError."""
        await self._until(lambda: self.commands.count(verb) >= times, seconds)

    async def _until(self, so: Callable[[], bool], seconds: float) -> None:
        async with asyncio.timeout(seconds):
            while not so():
                self.came.clear()
                await self.came.wait()


class _Cut(Exception):
    """The connection ends here."""


@asynccontextmanager
async def mail_server(ways: Ways | None = None) -> AsyncIterator[MailServer]:
    """A server on a free port of the loopback address."""
    kept = MailServer(ways or Ways())
    talks: set[asyncio.Task[None]] = set()

    async def met(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        talks.add(task)
        kept.live += 1
        kept.most = max(kept.most, kept.live)
        try:
            await _Talk(kept, reader, writer).run()
        except (_Cut, OSError, ssl.SSLError, asyncio.IncompleteReadError):
            pass
        finally:
            kept.live -= 1
            talks.discard(task)
            writer.transport.abort()

    server = await asyncio.start_server(met, "127.0.0.1", 0)
    kept.port = server.sockets[0].getsockname()[1]
    try:
        yield kept
    finally:
        server.close()
        for talk in talks:
            talk.cancel()
        await asyncio.gather(*talks, return_exceptions=True)


@asynccontextmanager
async def mail_servers(*ways: Ways) -> AsyncIterator[list[MailServer]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(mail_server(one)) for one in ways]


class _Talk:
    """One connection."""

    def __init__(self, kept: MailServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.kept, self.ways = kept, kept.ways
        self.reader, self.writer = reader, writer
        self.encrypted = ""
        self.logged_in = False
        self.sender, self.recipients = "", list[str]()

    async def run(self) -> None:
        if self.ways.endless_banner:
            while True:
                await self.say("220-" + "x" * 500)
        await self.say(self.ways.banner)
        while line := await self.line():
            verb, _, argument = line.partition(" ")
            verb = verb.upper()
            self.kept.commands.append(verb)
            self.kept.came.set()
            await self.answer(verb, argument)
            if verb in ("QUIT", self.ways.cut_after):
                raise _Cut

    async def answer(self, verb: str, argument: str) -> None:
        if verb == self.ways.silent_after:
            await self.kept.tired.wait()
            raise _Cut
        if told := self.ways.reply(verb, argument):
            await self.say(told)
        elif verb in ("EHLO", "HELO"):
            offers = [*self.ways.offers]
            offers += ["STARTTLS"] if (self.ways.tls or self.ways.breaks) and not self.encrypted else []
            offers += ["AUTH PLAIN"] if self.ways.wants_login else []
            lines = ["mail.example", *offers]
            await self.say(*[f"250-{one}" for one in lines[:-1]], f"250 {lines[-1]}")
        elif verb == "STARTTLS":
            await self.encrypt()
        elif verb == "AUTH":
            self.logged_in = True
            await self.say("235 welcome")
        elif verb == "MAIL":
            if self.ways.wants_login and not self.logged_in:
                await self.say("530 5.7.0 Authentication required")
            else:
                self.sender, self.recipients = address_in(argument), []
                await self.say("250 ok")
        elif verb == "RCPT":
            self.recipients.append(address_in(argument))
            await self.say("250 ok")
        elif verb == "DATA":
            await self.take()
        else:
            await self.say("221 bye" if verb == "QUIT" else "250 ok")

    async def encrypt(self) -> None:
        await self.say("220 go on")
        if self.ways.breaks or self.ways.tls is None:
            raise _Cut
        await self.writer.start_tls(self.ways.tls)
        self.encrypted = self.writer.get_extra_info("ssl_object").version()

    async def take(self) -> None:
        await self.say("354 go on")
        if self.ways.cut_after == "354":
            raise _Cut
        lines = []
        while (line := await self.raw_line()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b"."))
        if not line:
            raise _Cut
        self.kept.mails.append(
            Received(self.sender, tuple(self.recipients), b"".join(lines), self.encrypted or "none")
        )
        self.kept.came.set()
        if self.ways.cut_after == "dot":
            raise _Cut
        await self.say(self.ways.reply("dot", "") or "250 2.0.0 taken")

    async def say(self, *lines: str) -> None:
        self.writer.write("".join(f"{line}\r\n" for line in lines).encode())
        await self.writer.drain()

    async def line(self) -> str:
        return (await self.raw_line()).decode().rstrip("\r\n")

    async def raw_line(self) -> bytes:
        line = await self.reader.readline()
        if not self.encrypted:
            self.kept.plain += line
        return line


def address_in(argument: str) -> str:
    return argument.partition("<")[2].partition(">")[0]


def certified(authority: trustme.CA) -> ssl.SSLContext:
    """A server's side of TLS, with a certificate of this authority for localhost."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    return context


def only_old(authority: trustme.CA) -> ssl.SSLContext:
    """The same, by a server that was last renewed when TLS 1.1 was new."""
    context = certified(authority)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with suppress(DeprecationWarning):
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context
