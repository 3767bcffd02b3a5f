"""Both ends of a SIP call (RFC 3261), as much of it as a telephone needs that never loses a packet.

Asterisk may repeat what it was answered late; a telephone repeats nothing: this is loopback.
"""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from devkit.wire import Message, new_tag
from tests.live.sip import SDP, media_of
from tests.live.traffic.instants import LOOPBACK, Address
from tests.live.traffic.media import Media, Stream


def new_branch() -> str:
    return "z9hG4bK" + secrets.token_hex(8)


def new_call_id() -> str:
    return secrets.token_hex(12)


def uri(message: Message) -> str:
    """Where the other wants requests within the call to go."""
    return message.one("contact").partition("<")[2].partition(">")[0]


def tagged(user: str) -> str:
    """An address of ours, with a tag."""
    return f"<sip:{user}@{LOOPBACK}>;tag={new_tag()}"


@dataclass(frozen=True)
class Network:
    """What the telephones of a process share. `asterisk`: where requests go; `at`: HOST:PORT, ours."""

    asterisk: Address
    at: str
    media: Media
    send: Callable[[bytes, Address], float]


PICKED_UP = 200


@dataclass(frozen=True)
class Manner:
    """What a destination does: it rings for so long (None: for ever), and then? `early`: with early media."""

    rings: float | None
    then: int = PICKED_UP
    early: bool = False
    fallback: bool = False


@dataclass(frozen=True)
class Over:
    """How a call ended here: "bye" or "cancel", a status of a refusal; `by_us`: we ended it."""

    at: float
    how: str
    by_us: bool


@dataclass(eq=False)
class Peer:
    """What both ends have in common. `ours`, `theirs`: From and To of its requests; `target`: their URI."""

    network: Network
    call_id: str
    ours: str
    theirs: str
    target: str
    began: float = 0.0
    ringing: float | None = None
    answered: float | None = None
    over: Over | None = None
    stream: Stream = field(init=False)
    _cseq: int = 0
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.stream = self.network.media.stream()

    async def until(self, happened: Callable[[], object], seconds: float) -> bool:
        """Wait until that is so, at most so long; whether it is."""
        try:
            async with asyncio.timeout(seconds):
                while not happened():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True

    async def until_over(self, seconds: float) -> None:
        """Let the call go on, at most so long."""
        await self.until(lambda: self.over, seconds)

    def changed(self) -> None:
        self._changed.set()

    def hear(self, message: Message) -> None:
        """Connect the sound as this SDP says."""
        if "m=audio" in message.text:
            self.network.media.connect(self.stream, media_of(message.text))

    def end(self, at: float, how: str, *, by_us: bool) -> None:
        """The call has ended here. What ends it again changes nothing."""
        self.over = self.over or Over(at, how, by_us)
        self.network.media.disconnect(self.stream)
        self.changed()

    def say_bye(self) -> None:
        """Hang up an answered call."""
        at = self.send(self.request("BYE", self._next()))
        self.end(at, "bye", by_us=True)

    def told_bye(self, bye: Message, at: float) -> None:
        self.send(bye.reply(200))
        self.end(at, "bye", by_us=False)

    def send(self, data: bytes) -> float:
        return self.network.send(data, self.network.asterisk)

    def offer(self) -> str:
        return SDP.format(port=self.network.media.port)

    def request(self, method: str, cseq: int, *, branch: str = "", body: str = "") -> bytes:
        """A request of this call, `ours` to `theirs`."""
        lines = [
            f"{method} {self.target} SIP/2.0",
            f"Via: SIP/2.0/UDP {self.network.at};branch={branch or new_branch()};rport",
            "Max-Forwards: 70",
            f"From: {self.ours}",
            f"To: {self.theirs}",
            f"Call-ID: {self.call_id}",
            f"CSeq: {cseq} {method}",
            f"Contact: <sip:telephone@{self.network.at}>",
            *(["Content-Type: application/sdp"] if body else []),
            f"Content-Length: {len(body)}",
        ]
        return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()

    def _next(self) -> int:
        self._cseq += 1
        return self._cseq


@dataclass(eq=False)
class Caller(Peer):
    """One who calls. `legs`: the destinations whose telephones rang for it, in the order of their INVITEs."""

    legs: list["Destination"] = field(default_factory=list)
    _branch: str = field(default_factory=new_branch)
    _cancelled: bool = False

    def invite(self) -> None:
        """Call."""
        invite = self.request("INVITE", self._next(), branch=self._branch, body=self.offer())
        self.began = self.send(invite)

    def hang_up(self) -> None:
        """CANCEL, or BYE once it is answered; nothing where it is over."""
        if self.over is not None:
            return
        if self.answered is not None:
            self.say_bye()
            return
        self._cancelled = True
        self.end(self.send(self.request("CANCEL", 1, branch=self._branch)), "cancel", by_us=True)

    def told(self, message: Message, at: float) -> None:
        """A response to the INVITE, or the other's BYE."""
        if message.method == "BYE":
            self.told_bye(message, at)
        elif message.one("cseq").endswith("INVITE"):
            self._answer(message, int(message.start.split(" ")[1]), at)

    def _answer(self, reply: Message, status: int, at: float) -> None:
        if status >= 300:
            self.theirs = reply.one("to")
            self.send(self.request("ACK", 1, branch=self._branch))
            self.end(at, str(status), by_us=False)
        elif status >= 200:
            self._answered(reply, at)
        elif self.over is None:
            self.ringing = self.ringing or (at if status == 180 else None)
            self.hear(reply)
        self.changed()

    def _answered(self, reply: Message, at: float) -> None:
        if self.answered is None:
            self.answered = at
            self.theirs = reply.one("to")
            self.target = uri(reply)
        self.send(self.request("ACK", 1))
        if self._cancelled:  # the answer was on its way already
            self._cancelled, self.over = False, None
            self.say_bye()
        elif self.over is None:
            self.hear(reply)


@dataclass(kw_only=True, eq=False)
class Destination(Peer):
    """One who is called."""

    invite: Message
    manner: Manner
    crossed: bool = False  # Asterisk's CANCEL came after the answer: the two were on their way at once
    _replied: bytes = b""

    @classmethod
    def of(cls, network: Network, invite: Message, at: float, manner: Manner) -> Self:
        """The end that this INVITE is for, which came at that instant."""
        to, theirs, target = f"{invite.one('to')};tag={new_tag()}", invite.one("from"), uri(invite)
        return cls(network, invite.one("call-id"), to, theirs, target, began=at, invite=invite, manner=manner)

    @property
    def number(self) -> str:
        return self.invite.number

    def reply(self, status: int) -> float:
        """Answer the INVITE, with an SDP where sound begins; when that left."""
        body = self.offer() if status in (183, 200) else ""
        self._replied = self.invite.reply(status, self.ours.rpartition("=")[2], body, contact=self.network.at)
        return self.send(self._replied)

    def ring(self) -> None:
        """180; or 183 and sound."""
        self.ringing = self.reply(183 if self.manner.early else 180)
        if self.manner.early:
            self.hear(self.invite)

    def decide(self) -> None:
        """Pick up or refuse, unless it is over."""
        if self.over is not None:
            return
        status = self.manner.then
        at = self.reply(status)
        if status == PICKED_UP:
            self.answered = at
            self.hear(self.invite)
            self.changed()
        else:
            self.end(at, str(status), by_us=True)

    def hang_up(self) -> None:
        if self.over is None:
            self.say_bye()

    def told(self, message: Message, at: float) -> None:
        """Asterisk's next request."""
        match message.method:
            case "INVITE" if self._replied:
                self.send(self._replied)
            case "BYE":
                self.told_bye(message, at)
            case "CANCEL":
                self._cancel(message, at)

    def _cancel(self, cancel: Message, at: float) -> None:
        self.send(cancel.reply(200, new_tag()))
        self.crossed = self.answered is not None
        if self.answered is None and self.over is None:
            self.reply(487)
            self.end(at, "cancel", by_us=False)
