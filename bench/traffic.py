"""Commands, events and bytes between engine and Asterisk for each call, counted by relays."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from socket import SOCK_DGRAM
from typing import Any

from bench.sipp import LOOPBACK, Drive, Ends
from bench.systems import System, warm, write_routing
from devkit import parts
from devkit.children import free_port
from devkit.ports import reserve_ports
from devkit.stack import Stack, Wish, state_of_ours

REQUEST = re.compile(rb"^(GET|POST|PUT|DELETE) /ari(\S+) HTTP/1\.1\r$", re.MULTILINE)
ID = re.compile(r"/(?=[^/]*\d)[^/]+")
TYPE = re.compile(rb'"type": ?"(\w+)"')
MASKED, LONG, LONGEST = 0x80, 126, 127
CALLS = 100
RATE = 20.0
# The engine's sign of life, once a second, is independent of calls.
IDLE = re.compile(r"/events/user|/asterisk/variable|ChannelUserevent")


@dataclass
class Count:
    """Messages by kind, and all bytes in both directions."""

    messages: Counter[str] = field(default_factory=Counter)
    bytes: int = 0

    def per(self, calls: int) -> dict[str, Any]:
        kinds = {name: n / calls for name, n in self.messages.most_common() if not IDLE.search(name)}
        return {"messages": sum(kinds.values()), "bytes": self.bytes / calls, "kinds": kinds}


class Frames:
    """The messages in a stream of WebSocket frames, which may be split anywhere."""

    def __init__(self) -> None:
        self._rest = b""
        self._open = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        self._rest += data
        if not self._open:
            _, separator, rest = self._rest.partition(b"\r\n\r\n")
            if not separator:
                return
            self._open, self._rest = True, rest
        while frame := self._frame():
            yield frame

    def _frame(self) -> bytes:
        """The payload of the next complete frame, unmasked; empty if there is none."""
        if len(self._rest) < 2:
            return b""
        short, extra = self._rest[1] & ~MASKED, 0
        if short >= LONG:
            extra = 2 if short == LONG else 8
            short = int.from_bytes(self._rest[2 : 2 + extra])
        start = 2 + extra + (4 if self._rest[1] & MASKED else 0)
        if len(self._rest) < start + short:
            return b""
        key, payload = self._rest[2 + extra : start], self._rest[start : start + short]
        self._rest = self._rest[start + short :]
        return unmasked(payload, key) or b"{}"


def unmasked(payload: bytes, key: bytes) -> bytes:
    if not key:
        return payload
    mask = (key * (len(payload) // 4 + 1))[: len(payload)]
    return (int.from_bytes(payload) ^ int.from_bytes(mask)).to_bytes(len(payload))


def commands(count: Count) -> Callable[[bytes], None]:
    """Count the requests of the engine; the head of a request is never split."""

    def see(data: bytes) -> None:
        for verb, path in REQUEST.findall(data):
            count.messages[f"{verb.decode()} {ID.sub('/*', path.decode().partition('?')[0])}"] += 1

    return see


def events(count: Count) -> Callable[[bytes], None]:
    """Count the events of Asterisk by their type."""
    frames = Frames()

    def see(data: bytes) -> None:
        for message in frames.feed(data):
            if kind := TYPE.search(message):
                count.messages[kind[1].decode()] += 1

    return see


@asynccontextmanager
async def relay(
    to: Callable[[], int], count: Count, look: Callable[[Count], Callable[[bytes], None]]
) -> AsyncIterator[int]:
    """A port that forwards to port `to()` of this host; `look` gets the data of the connecting side."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            target_reader, target_writer = await asyncio.open_connection(LOOPBACK, to())
        except OSError:
            writer.close()
            return
        ways = (pump(reader, target_writer, count, look(count)), pump(target_reader, writer, count, None))
        for way in ways:
            task = asyncio.create_task(way)
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(serve, LOOPBACK, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def pump(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    count: Count,
    see: Callable[[bytes], None] | None,
) -> None:
    try:
        with suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                count.bytes += len(data)
                if see:
                    see(data)
    finally:
        writer.close()


class Relayed(Stack):
    """The service with relays between engine and Asterisk."""

    def __init__(self, wish: Wish, ports: range, commands_port: int, events_port: int) -> None:
        super().__init__(wish, ports, lambda _: None)
        self.events_port = ports[-1]
        self._commands_port = commands_port
        self.line = next(part for part in self.parts if isinstance(part, parts.Asterisk))
        self.line.options = replace(self.line.options, events_address=f"{LOOPBACK}:{events_port}")

    def settings(self) -> dict[str, object]:
        return {
            **super().settings(),
            "ari.url": f"http://{LOOPBACK}:{self._commands_port}",
            "ari.events_port": self.events_port,
        }


async def per_call(state: Path) -> dict[str, Any]:
    """`commands` and `events` of an answered call: messages, bytes, and the kinds of messages."""
    sent, received = Count(), Count()
    async with AsyncExitStack() as held:
        run: Relayed
        held.enter_context(state_of_ours(state))
        ports = held.enter_context(reserve_ports(5))
        commands_port = await held.enter_async_context(
            relay(lambda: run.line.endpoint.ari_port, sent, commands)
        )
        events_port = await held.enter_async_context(relay(lambda: run.events_port, received, events))
        carrier = f"{LOOPBACK}:{free_port(SOCK_DGRAM)}"
        run = Relayed(
            Wish(write_routing(state / "routing"), state, carrier), ports, commands_port, events_port
        )
        held.push_async_callback(run.stop)
        await run.start()
        system = await warm(System(Ends(run.sip, carrier), {}, state))
        await asyncio.sleep(1)  # remaining work of those calls
        for count in (sent, received):
            count.messages.clear()
            count.bytes = 0
        load = await system.ends.drive(Drive(RATE, CALLS / RATE))
        await asyncio.sleep(1)
        return {"commands": sent.per(load.placed), "events": received.per(load.placed)}
