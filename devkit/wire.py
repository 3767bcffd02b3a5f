"""The part of SIP (RFC 3261) that is needed to parse a request and refuse it."""

import secrets
from dataclasses import dataclass
from typing import Self

COMPACT = {"v": "via", "f": "from", "t": "to", "i": "call-id"}
REASONS = {
    180: "Ringing",
    183: "Session Progress",
    200: "OK",
    403: "Forbidden",
    404: "Not Found",
    480: "Temporarily Unavailable",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    503: "Service Unavailable",
    603: "Decline",
}


@dataclass(frozen=True)
class Message:
    """A SIP message: first line, headers (names in lower case, compact forms expanded), the whole text."""

    start: str
    headers: tuple[tuple[str, str], ...]
    text: str

    @classmethod
    def read(cls, data: bytes) -> Self:
        """Parse any bytes without an error; what is not SIP has no method."""
        text = data.decode(errors="replace")
        start, *lines = text.partition("\r\n\r\n")[0].split("\r\n")
        pairs = (line.partition(":") for line in lines)
        return cls(start, tuple((expanded(name), value.strip()) for name, _, value in pairs), text)

    def all(self, name: str) -> list[str]:
        """All values of a header, in order."""
        return [value for key, value in self.headers if key == name.lower()]

    def one(self, name: str) -> str:
        """The first value of a header; empty if it is absent."""
        return next(iter(self.all(name)), "")

    @property
    def method(self) -> str:
        """The request's method; empty for a response."""
        return "" if self.start.startswith("SIP/") else self.start.split(" ")[0]

    @property
    def number(self) -> str:
        """The user part of the Request-URI."""
        address = self.start.split(" ")[1] if self.start.count(" ") >= 2 else ""
        return address.partition(":")[2].partition("@")[0]

    @property
    def transaction(self) -> tuple[str, str]:
        """The key that an INVITE and its CANCEL share: Call-ID and CSeq number."""
        return self.one("call-id"), self.one("cseq").split(" ")[0]

    def reply(self, code: int, tag: str = "", body: str = "", contact: str = "") -> bytes:
        """A response to this request with this status. `tag`: the To tag of the dialog. `body`: an SDP."""
        copied = [
            f"{name}: {value}" for name, value in self.headers if name in ("via", "from", "call-id", "cseq")
        ]
        to = self.one("to") + (f";tag={tag}" if tag and ";tag=" not in self.one("to") else "")
        lines = [f"SIP/2.0 {code} {REASONS.get(code, 'Refused')}", *copied, f"to: {to}"]
        if body:
            lines += [f"contact: <sip:{contact}>", "content-type: application/sdp"]
        return "\r\n".join([*lines, f"content-length: {len(body)}", "", body]).encode()


def expanded(name: str) -> str:
    lower = name.strip().lower()
    return COMPACT.get(lower, lower)


def new_tag() -> str:
    return secrets.token_hex(6)
