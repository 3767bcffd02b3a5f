"""Telephones for the demo and the tests: SIP user agents that play, record, send keys and withhold numbers.

One SIP stack (baresip) is shared by all phones of a process; there can be only one at a time.
"""

import asyncio
import logging
import socket
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Self

from baresip import Account, BaresipError, Call, Config, Runtime, StackEvent, UserAgent

from devkit.children import free_port
from devkit.handset import Handset

LOOPBACK = "127.0.0.1"
CODEC = "pcma"
ACCOUNT = f"regint=0;answermode=manual;audio_codecs={CODEC};dtmfmode=rtpevent"
Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Identity:
    """The identity that a telephone presents: From address and further headers of the INVITE."""

    user: str
    host: str = LOOPBACK
    name: str = ""
    headers: Headers = ()

    def address(self) -> str:
        """The From address in the syntax of the stack's account parser."""
        name = self.name.replace("\\", "\\\\").replace('"', '\\"')
        quoted = f'"{name}" ' if name else ""
        return f"{quoted}<sip:{self.user}@{self.host};transport=udp>"


def shown(number: str, name: str = "") -> Identity:
    """A caller who presents their number."""
    return Identity(number, name=name)


def asserted(number: str) -> tuple[str, str]:
    return ("P-Asserted-Identity", f"<sip:{number}@{LOOPBACK}>")


def remote_party(number: str) -> tuple[str, str]:
    return ("Remote-Party-ID", f"<sip:{number}@{LOOPBACK}>;party=calling;privacy=full;screen=yes")


ANONYMOUS = ("anonymous", "anonymous.invalid", "Anonymous")
# The ways in which carriers signal a withheld number, all seen in practice.
WITHHELD: dict[str, Callable[[str], Identity]] = {
    "asserted and private": lambda n: Identity(*ANONYMOUS, headers=(asserted(n), ("Privacy", "id"))),
    "real From and private": lambda n: Identity(n, headers=(("Privacy", "id"),)),
    "user;ID": lambda n: Identity(n, headers=(asserted(n), ("Privacy", "user;ID"))),
    "two Privacy headers": lambda n: Identity(n, headers=(("Privacy", "user"), ("Privacy", "id"))),
    "comma list": lambda n: Identity(n, headers=(("Privacy", "user, id"),)),
    "critical": lambda n: Identity(n, headers=(asserted(n), ("Privacy", "id;critical"))),
    "Remote-Party-ID": lambda n: Identity(n, headers=(remote_party(n),)),
    "anonymous From": lambda _: Identity(*ANONYMOUS),
}


class Pairs(list[tuple[str, str]]):
    """Headers in order, with repeated names: the stack only calls `items()` of a mapping."""

    def items(self) -> Self:
        return self


class Phones:
    """The SIP stack and all its calls. Created by `phones()`."""

    def __init__(self, runtime: Runtime, address: tuple[str, int]) -> None:
        self.address = address
        self.handsets: list[Handset] = []
        self.on_incoming: Callable[[Call], None] = lambda call: None
        self._runtime = runtime
        self._agents: dict[Identity | None, UserAgent] = {}
        self._by_handle: dict[int, Handset] = {}
        # An event may arrive before dial() has returned the call.
        self._early: dict[int, list[StackEvent]] = defaultdict(list)
        runtime.subscribe(self._handle)

    async def dial(self, number: str, at: str, who: Identity, *, says: Sequence[float] = ()) -> Handset:
        """Call `number` at the SIP address `at` (HOST:PORT); returns once the INVITE is sent.

        `says`: the tones that the caller plays from the beginning.
        """
        agent = await self._agent(who)
        call = await agent.dial(f"sip:{number}@{at}", headers=Pairs(who.headers))
        handset = self.adopt(call, number)
        handset.say(*says)
        return handset

    def adopt(self, call: Call, number: str) -> Handset:
        """Create the handset of a call, with the events that have arrived already."""
        handset = Handset(call, number=number)
        self.handsets.append(handset)
        self._by_handle[call.handle] = handset
        for event in self._early.pop(call.handle, []):
            handset.handle(event)
        return handset

    async def close(self) -> None:
        for handset in self.handsets:
            await handset.close()
        await self._runtime.close()

    async def listen(self) -> None:
        """Take calls for any number at `address`."""
        await self._add(
            None,
            Account(
                "carrier", LOOPBACK, "", reg_interval=0, audio_codecs=(CODEC,), extra_params=("catchall=yes",)
            ),
        )

    async def _agent(self, who: Identity) -> UserAgent:
        key = Identity(who.user, who.host, who.name)
        return self._agents.get(key) or await self._add(key, f"{key.address()};{ACCOUNT}")

    async def _add(self, key: Identity | None, account: Account | str) -> UserAgent:
        agent = await UserAgent.create(self._runtime, account)
        # A call to a number that is also a caller's number arrives at that caller's agent.
        agent.on_incoming(self._incoming)
        self._agents[key] = agent
        return agent

    def _incoming(self, call: Call) -> None:
        self.on_incoming(call)

    def _handle(self, event: StackEvent) -> None:
        if not event.call:
            return
        if handset := self._by_handle.get(event.call):
            handset.handle(event)
        else:
            self._early[event.call].append(event)


@asynccontextmanager
async def phones() -> AsyncIterator[Phones]:
    """The process's telephones, on loopback; all their calls end with the block."""
    runtime, port = await start_stack()
    telephones = Phones(runtime, (LOOPBACK, port))
    try:
        await telephones.listen()
        yield telephones
    finally:
        await telephones.close()


# No jitter buffer: when Asterisk couples two streams, it may insert one packet of its own between the
# forwarded ones, with their SSRC and another sequence number (res_rtp_asterisk; in one of 1,300 calls at load
# 8). A receiver by RFC 3550, A.1, skips it; this stack's buffer stayed silent from then on.
SOUND = "audio_jitter_buffer_type off"


async def start_stack(attempts: int = 5) -> tuple[Runtime, int]:
    """A running stack and its SIP port. Another process may take a free port before we bind it."""
    for attempt in range(attempts):
        port = free_port(socket.SOCK_DGRAM)
        runtime = Runtime(command_timeout=10)
        settings = Config(
            net_interface=LOOPBACK,
            max_concurrent_calls=None,
            sip_trace=True,
            extra_config_text=f"sip_listen {LOOPBACK}:{port}\n{SOUND}\n",
        )
        try:
            await runtime.start(settings)
        except BaresipError:
            if attempt == attempts - 1:
                raise
            await asyncio.sleep(0.1)
        else:
            return runtime, port
    raise AssertionError("unreachable")


@contextmanager
def sip_traced(take: Callable[[str], object]) -> Iterator[None]:
    """Pass every SIP message of the stack, as on the wire, to `take(text)`, on the stack's thread."""
    sip, trace = logging.getLogger("baresip.native.sip"), _Trace(take)
    propagates, sip.propagate = sip.propagate, False
    sip.addHandler(trace)
    sip.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        sip.removeHandler(trace)
        sip.propagate = propagates


class _Trace(logging.Handler):
    def __init__(self, take: Callable[[str], object]) -> None:
        super().__init__(logging.DEBUG)
        self._take = take

    def emit(self, record: logging.LogRecord) -> None:
        self._take(record.getMessage())
