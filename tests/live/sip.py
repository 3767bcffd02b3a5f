"""A bare SIP telephone for the live tests: says on the wire what a test tells it to, byte for byte."""

import re
import secrets
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from devkit.wire import Message
from tests.lateness import PATIENCE

SDP = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio {port} RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
)


def media_of(text: str) -> tuple[str, int]:
    """Where an SDP of this host wants its sound."""
    found = re.search(r"^m=audio ([0-9]+)", text, re.MULTILINE)
    assert found
    return "127.0.0.1", int(found[1])


def eventually(condition: Callable[[], bool], seconds: float = PATIENCE) -> bool:
    """Whether `condition` comes true within `seconds`: a bounded wait for what has no event to wait for."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


class Agent:
    """One UDP socket on loopback, and everything it has heard."""

    def __init__(self, port: int = 0, host: str = "127.0.0.1") -> None:
        self._socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((host, port))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.address = f"{f'[{host}]' if ':' in host else host}:{self._socket.getsockname()[1]}"
        self.heard: list[Message] = []
        self._waiting: list[Message] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def send(self, data: bytes | str, to: str) -> None:
        host, _, port = to.rpartition(":")
        encoded = data.encode() if isinstance(data, str) else data
        self._socket.sendto(encoded, (host.strip("[]"), int(port)))

    def expect(self, wanted: Callable[[Message], bool], seconds: float = PATIENCE) -> Message:
        """The first message that is `wanted`, of those not yet taken and those to come in `seconds`."""
        deadline = time.monotonic() + seconds
        while (found := next(filter(wanted, self._waiting), None)) is None:
            if not self.listen(deadline - time.monotonic()):
                raise AssertionError(f"did not come in {seconds} s; heard {[m.start for m in self.heard]}")
        self._waiting.remove(found)
        return found

    def listen(self, seconds: float) -> bool:
        """Take in the next datagram; whether there was one within `seconds`. Repetitions are heard once."""
        self._socket.settimeout(max(seconds, 0.001))
        try:
            message = Message.read(self._socket.recv(65535))
        except TimeoutError:
            return False
        if message not in self.heard:
            self.heard.append(message)
            self._waiting.append(message)
        return True

    def forget(self) -> None:
        """Drop what has been heard and what still waits in the socket."""
        while self.listen(0):
            pass
        self.heard.clear()
        self._waiting.clear()


@dataclass
class Call:
    """A call placed by `agent` to the Asterisk at `to`; keeps what a dialog has to repeat."""

    agent: Agent
    to: str
    number: str
    caller: str = '"Someone" <sip:+32470998877@caller.example>'
    headers: Iterable[str] = ()
    call_id: str = field(default_factory=lambda: secrets.token_hex(12))
    tag: str = field(default_factory=lambda: secrets.token_hex(4))
    branch: str = field(default_factory=lambda: "z9hG4bK" + secrets.token_hex(8))
    answer: Message | None = None
    media_port: int | None = None  # that of its SIP unless told

    def request(self, method: str, *, cseq: int = 1, branch: str = "", body: str = "") -> str:
        """The text of a request in this call. What came with surrogate escapes leaves as the raw bytes."""
        lines = [
            f"{method} sip:{self.number}@{self.to} SIP/2.0",
            f"Via: SIP/2.0/UDP {self.agent.address};branch={branch or self.branch};rport",
            "Max-Forwards: 70",
            f"From: {self.caller};tag={self.tag}",
            f"To: {self.answer.one('to') if self.answer else f'<sip:{self.number}@{self.to}>'}",
            f"Call-ID: {self.call_id}",
            f"CSeq: {cseq} {method}",
            f"Contact: <sip:caller@{self.agent.address}>",
            *(self.headers if method == "INVITE" else ()),
            *(["Content-Type: application/sdp"] if body else []),
            f"Content-Length: {len(body)}",
        ]
        return "\r\n".join(lines) + "\r\n\r\n" + body

    def say(self, text: str) -> None:
        self.agent.send(text.encode(errors="surrogateescape"), self.to)

    def invite(self) -> Self:
        """Send the INVITE."""
        port = self.media_port or self.agent.address.rpartition(":")[2]
        self.say(self.request("INVITE", body=SDP.format(port=port)))
        return self

    def final(self, seconds: float = PATIENCE) -> int:
        """The status of the INVITE's final response, acknowledged."""
        self.answer = self.agent.expect(lambda reply: self._status(reply) >= 200, seconds)
        status = self._status(self.answer)
        # The ACK of a refusal belongs to the INVITE's transaction, that of a 2xx does not: RFC 3261 17.1.1.3.
        self.say(self.request("ACK", branch="" if status >= 300 else _new_branch()))
        return status

    def cancel(self) -> None:
        """Give up before the answer."""
        self.say(self.request("CANCEL"))
        self.final()

    def hang_up(self) -> None:
        """End the answered call."""
        self.say(self.request("BYE", cseq=2, branch=_new_branch()))
        self.agent.expect(lambda reply: reply.one("cseq") == "2 BYE")

    def _status(self, reply: Message) -> int:
        ours = f"tag={self.tag}" in reply.text and reply.one("cseq") == "1 INVITE"
        return int(reply.start.split(" ")[1]) if ours and reply.start.startswith("SIP/2.0 ") else 0


def _new_branch() -> str:
    return "z9hG4bK" + secrets.token_hex(8)


@dataclass
class Ringing:
    """A call that Asterisk has placed to `agent`, and the ways to answer it."""

    agent: Agent
    to: str
    invite: Message
    tag: str = field(default_factory=lambda: secrets.token_hex(4))
    media_port: int | None = None

    @classmethod
    def wait(cls, agent: Agent, asterisk: str, number: str, seconds: float = PATIENCE) -> Self:
        """The next call for `number` that the Asterisk at `asterisk` places to `agent`."""
        invite = agent.expect(lambda m: m.method == "INVITE" and m.number == number, seconds)
        return cls(agent, asterisk, invite)

    def ring(self) -> None:
        self._reply(180)

    def reply(self, status: int) -> None:
        """Send that response, and wait for nothing."""
        self._reply(status)

    def refuse(self, status: int) -> None:
        self._reply(status)
        self.agent.expect(lambda m: m.method == "ACK")

    def answer(self) -> None:
        port = self.media_port or self.agent.address.rpartition(":")[2]
        self._reply(200, SDP.format(port=port))

    def pick_up(self) -> None:
        self.answer()
        self.agent.expect(lambda m: m.method == "ACK")

    def gone(self) -> None:
        """Wait until the other side has hung up: BYE after the answer, CANCEL before it."""
        ended = self.agent.expect(
            lambda m: m.method in ("BYE", "CANCEL") and m.one("call-id") == self.call_id
        )
        self.agent.send(ended.reply(200), self.to)
        if ended.method == "CANCEL":
            self.refuse(487)

    @property
    def call_id(self) -> str:
        return self.invite.one("call-id")

    def _reply(self, status: int, body: str = "") -> None:
        head = self.invite.reply(status, self.tag).decode().partition("\r\n\r\n")[0]
        lines = [line for line in head.split("\r\n") if not line.lower().startswith("content-")]
        lines.append(f"Contact: <sip:callee@{self.agent.address}>")
        if body:
            lines.append("Content-Type: application/sdp")
        self.agent.send("\r\n".join([*lines, f"Content-Length: {len(body)}"]) + "\r\n\r\n" + body, self.to)
