"""The carrier: takes calls to `sip:<number>@HOST:PORT`; each number has a configured behaviour.

One UDP socket is in front of the telephones. It reads every INVITE as sent on the wire, refuses calls itself
(the SIP stack of the telephones can only send 486), and forwards calls that are answered to the telephones.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import cast

from baresip import Call

from devkit.audio import RATE, tone
from devkit.early_media import Address, media_address, sdp, speak
from devkit.handset import PATIENCE, CallOver, Handset
from devkit.phones import LOOPBACK, Phones, sip_traced
from devkit.wire import Message, new_tag


@dataclass(frozen=True)
class Answers:
    """Rings for `after` seconds, answers, plays these tones (none: echoes what it hears)."""

    after: float = 0.2
    says: Sequence[float] = (600,)
    hangs_up_after: float | None = None


@dataclass(frozen=True)
class Rings:
    """Rings until the caller's side cancels, or `Carrier.refuse` is called."""


@dataclass(frozen=True)
class Refuses:
    """Refuses with this SIP status (486 busy, 603 declined, 404, 480, 503 …), after ringing for `after` s."""

    code: int = 486
    after: float = 0.0


@dataclass(frozen=True)
class Announces:
    """Plays a tone as early media (183) for `seconds`, then refuses with this SIP status."""

    hz: float = 700
    seconds: float = 1.0
    code: int = 486


@dataclass(frozen=True)
class Mismatches:
    """Answers with a codec that was not offered."""


@dataclass(frozen=True)
class Dead:
    """Sends no response at all."""


Behaviour = Answers | Rings | Refuses | Announces | Mismatches | Dead


@dataclass
class Arrival:
    """One INVITE that arrived at the carrier, and what happened to it."""

    number: str
    invite: Message
    behaviour: Behaviour
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    cancelled: datetime | None = None
    refused: int | None = None
    handset: Handset | None = None
    last_reply: bytes = b""

    @property
    def call_id(self) -> str:
        return self.invite.one("call-id")


class Carrier(asyncio.DatagramProtocol):
    """Created by `carrier()`. `arrivals`: the calls, oldest first; `wire`: all their SIP messages."""

    def __init__(self, phones: Phones, default: Behaviour) -> None:
        self.default = default
        self.arrivals: list[Arrival] = []
        self.wire: list[str] = []
        self._phones = phones
        self._behaves: dict[str, Behaviour] = {}
        self._open: dict[tuple[str, str], Arrival] = {}
        self._senders: dict[str, Address] = {}  # by Call-ID, for the telephones' responses
        self._tasks: set[asyncio.Task[None]] = set()
        self._came = asyncio.Event()
        phones.on_incoming = self._incoming

    @property
    def address(self) -> str:
        """HOST:PORT, the value of `--carrier`."""
        host, port = self._transport.get_extra_info("sockname")
        return f"{host}:{port}"

    def behave(self, number: str, behaviour: Behaviour) -> None:
        """Set the behaviour of a number (as in the Request-URI: `+32…`) for its next calls."""
        self._behaves[number] = behaviour

    async def arrival(self, number: str, count: int = 1, seconds: float = PATIENCE) -> Arrival:
        """Wait for the `count`-th call to this number. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while len(calls := [call for call in self.arrivals if call.number == number]) < count:
                self._came.clear()
                await self._came.wait()
        return calls[count - 1]

    async def picked_up(self, number: str, count: int = 1, seconds: float = PATIENCE) -> Handset:
        """Wait until the `count`-th call to this number rings at a telephone here. Raises TimeoutError."""
        return await self.handset_of(await self.arrival(number, count, seconds), seconds)

    async def handset_of(self, arrival: Arrival, seconds: float = PATIENCE) -> Handset:
        """Wait until this call rings at a telephone here. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while arrival.handset is None:
                self._came.clear()
                await self._came.wait()
        return arrival.handset

    def refuse(self, arrival: Arrival, code: int) -> None:
        """Refuse this call with this SIP status, unless the caller's side has cancelled it."""
        if arrival.cancelled is None:
            arrival.refused = code
            self._reply(arrival, code, self._senders[arrival.call_id])

    def messages_of(self, arrival: Arrival) -> list[str]:
        """Everything on the wire about that call: the end of an earlier one may still be coming in."""
        return [text for text in self.wire if Message.read(text.encode()).one("call-id") == arrival.call_id]

    def forget(self) -> None:
        """Drop what has been seen so far; the settings stay."""
        self.arrivals.clear()
        self.wire.clear()

    def overheard(self, trace: str) -> None:
        """Take a message of one of our calls that the phones exchanged without us: what follows an answer."""
        route, _, text = trace.partition("\n")
        message = Message.read(text.encode())
        if self.address not in route and message.one("call-id") in self._senders:
            self.wire.append(text)

    # The socket.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, sender: Address) -> None:
        message = Message.read(data)
        if message.start.startswith("SIP/"):
            self._send(data, self._senders.get(message.one("call-id")))
        else:
            self.wire.append(message.text)
            self._senders[message.one("call-id")] = sender
            self._request(message, data, sender)

    def _send(self, data: bytes, to: Address | None) -> None:
        if to is not None:
            self.wire.append(data.decode(errors="replace"))
            self._transport.sendto(data, to)

    def _request(self, message: Message, data: bytes, sender: Address) -> None:
        if message.method == "OPTIONS":
            self._send(message.reply(200, new_tag()), sender)
            return
        if message.method == "BYE":
            self._end(message, data, sender)
            return
        arrival = self._open.get(message.transaction)
        if arrival is None and message.method == "INVITE":
            arrival = self._arrive(message, sender)
        if arrival is None:
            return
        if isinstance(arrival.behaviour, Answers):
            self._cancelled(arrival, message)
            self._transport.sendto(data, self._phones.address)
        elif message.method == "CANCEL":
            self._cancel(arrival, message, sender)
        elif message.method == "INVITE" and arrival.last_reply:
            self._send(arrival.last_reply, sender)

    def _arrive(self, invite: Message, sender: Address) -> Arrival:
        arrival = Arrival(invite.number, invite, self._behaves.get(invite.number, self.default))
        self._open[invite.transaction] = arrival
        self.arrivals.append(arrival)
        self._came.set()
        match arrival.behaviour:
            case Rings():
                self._reply(arrival, 180, sender)
            case Refuses() as refuses:
                self._start(self._refuse(arrival, refuses, sender))
            case Announces() as announces:
                self._start(self._announce(arrival, announces, sender))
            case Mismatches():
                self._reply(arrival, 200, sender, sdp(9, "18", "G729/8000"))
        return arrival

    # What a number does.

    async def _refuse(self, arrival: Arrival, how: Refuses, sender: Address) -> None:
        if how.after:
            self._reply(arrival, 180, sender)
            await asyncio.sleep(how.after)
        self.refuse(arrival, how.code)

    async def _announce(self, arrival: Arrival, how: Announces, sender: Address) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as media:
            media.bind((LOOPBACK, 0))
            self._reply(arrival, 183, sender, sdp(media.getsockname()[1], "8", "PCMA/8000"))
            await speak(media, media_address(arrival.invite), tone((how.hz,), round(how.seconds * RATE)))
        self.refuse(arrival, how.code)

    def _end(self, bye: Message, data: bytes, sender: Address) -> None:
        """Forward a BYE to the telephones for a call of theirs, else answer it here."""
        call = next((a for a in self.arrivals if a.call_id == bye.one("call-id")), None)
        if call is not None and isinstance(call.behaviour, Answers):
            self._transport.sendto(data, self._phones.address)
        else:
            self._send(bye.reply(200), sender)

    def _cancel(self, arrival: Arrival, message: Message, sender: Address) -> None:
        self._send(message.reply(200, new_tag()), sender)
        if self._cancelled(arrival, message) and arrival.refused is None:
            self._reply(arrival, 487, sender)

    def _cancelled(self, arrival: Arrival, message: Message) -> bool:
        first = message.method == "CANCEL" and arrival.cancelled is None
        if first:
            arrival.cancelled = datetime.now(UTC)
        return first

    def _reply(self, arrival: Arrival, code: int, sender: Address, body: str = "") -> None:
        arrival.last_reply = arrival.invite.reply(code, f"c{id(arrival):x}", body, contact=self.address)
        self._send(arrival.last_reply, sender)

    def _incoming(self, call: Call) -> None:
        arrival = next((a for a in reversed(self.arrivals) if a.call_id == call.call_id), None)
        if arrival is None or not isinstance(arrival.behaviour, Answers):
            return
        arrival.handset = self._phones.adopt(call, arrival.number)
        self._came.set()
        self._start(self._answer(arrival.handset, arrival.behaviour))

    async def _answer(self, handset: Handset, how: Answers) -> None:
        """Answer as configured; this ends if the caller hangs up before."""
        await asyncio.sleep(how.after)
        await handset.answer()
        handset.say(*how.says) if how.says else handset.echo()
        if how.hangs_up_after is not None:
            try:
                await handset.wait_answered()
            except (CallOver, TimeoutError):
                return
            await asyncio.sleep(how.hangs_up_after)
            await handset.hang_up()

    def _start(self, doing: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(doing)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._transport.close()


@asynccontextmanager
async def carrier(
    phones: Phones,
    behaves: Mapping[str, Behaviour] | None = None,
    *,
    default: Behaviour | None = None,
    host: str = LOOPBACK,
    port: int = 0,
) -> AsyncIterator[Carrier]:
    """A carrier on a free port of `host`; `default`: the behaviour of other numbers (answer)."""
    loop = asyncio.get_running_loop()
    _, network = await loop.create_datagram_endpoint(
        lambda: Carrier(phones, default or Answers()), (host, port)
    )
    for number, behaviour in (behaves or {}).items():
        network.behave(number, behaviour)
    try:
        with sip_traced(lambda text: loop.call_soon_threadsafe(network.overheard, text)):
            yield network
    finally:
        await network.close()
