"""Hostile SIP: the cases of rfc4475.txt beside this file, and damage done to them at random."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

LARGEST = 65507  # bytes of a datagram
CASES = Path(__file__).with_name("rfc4475.txt")
LONG = "x" * 900
SDP = ["v=0", "o=t 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0", "m=audio 40000 RTP/AVP 8"]


@dataclass(frozen=True)
class Case:
    """One message. `section` of RFC 4475; `what` is strange about it."""

    section: str
    what: str
    text: str

    def written(self, **names: str) -> bytes:
        """As it goes on the wire: `target`, `sender`, `number` and `unique` filled in."""
        text = self.text
        for name, value in {"LONG": LONG, **names}.items():
            text = text.replace(name.upper(), value)
        return text.encode("latin-1")


def cases() -> list[Case]:
    """Every case of the file, in its order."""
    _, *blocks = re.split(r"^=== ", CASES.read_text(), flags=re.MULTILINE)
    return [_case(block) for block in blocks]


def _case(block: str) -> Case:
    title, start, *lines = block.encode().decode("unicode_escape").rstrip("\n").split("\n")
    section, _, what = title.partition(" ")
    body = [line[1:] for line in lines if line.startswith("|")]
    changes = [line for line in lines if not line.startswith("|")]
    text = "\r\n".join([*body, ""]) if start == "RAW" else _request(start, changes, body)
    return Case(section, what, text)


def _request(start: str, changes: Sequence[str], body: Sequence[str]) -> str:
    method = start.partition(" ")[0]
    calls = method == "INVITE"
    content = "\r\n".join([*(body or (SDP if calls else [])), ""]).removeprefix("\r\n")
    headers = _plain(method) | ({"Content-Type": "application/sdp"} if content else {})
    headers["Content-Length"] = str(len(content))
    more = []
    for change in changes:
        name, _, value = change.removeprefix("+").partition(": ")
        if change.startswith("-"):
            del headers[change[1:]]
        elif change.startswith("+"):
            more.append(f"{name}: {value}")
        else:
            headers[name] = value
    if start == method:
        start = f"{method} sip:{'NUMBER@' if calls else ''}TARGET SIP/2.0"
    return "\r\n".join([start, *(f"{name}: {value}" for name, value in headers.items()), *more, "", content])


def _plain(method: str) -> dict[str, str]:
    return {
        "Via": "SIP/2.0/UDP SENDER;branch=z9hG4bKUNIQUE;rport",
        "Max-Forwards": "70",
        "From": "<sip:+32470998877@caller.example>;tag=fUNIQUE",
        "To": "<sip:NUMBER@TARGET>",
        "Call-ID": "UNIQUE@torture",
        "CSeq": f"7 {method}",
        "Contact": "<sip:torture@SENDER>",
    }


HONEST = Case(
    "",
    "nothing",
    _request("INVITE", ["+P-Asserted-Identity: <sip:+32470998877@caller.example>", "+Privacy: id"], []),
)

Damage = Callable[[Random, bytes], bytes]


def mutations(seed: int, count: int, **names: str) -> Iterator[bytes]:
    """`count` damaged messages, always the same for one seed. Every second began as an honest call."""
    chance, strange = Random(seed), cases()
    for n in range(count):
        case = HONEST if n % 2 else chance.choice(strange)
        message = case.written(unique=f"m{seed}x{n}", **names)
        for _ in range(chance.randint(1, 4)):
            message = chance.choice(DAMAGES)(chance, message)
        yield message


def flip(chance: Random, message: bytes) -> bytes:
    """One byte becomes another."""
    at = chance.randrange(len(message) + 1)
    return message[:at] + bytes([chance.randrange(256)]) + message[at + 1 :]


def cut(chance: Random, message: bytes) -> bytes:
    """Some bytes are missing."""
    at = chance.randrange(len(message) + 1)
    return message[:at] + message[at + chance.randint(1, 40) :]


def insert(chance: Random, message: bytes) -> bytes:
    """Something that means something to a parser stands where it should not."""
    at = chance.randrange(len(message) + 1)
    return message[:at] + chance.choice(SPLINTERS) + message[at:]


def repeat(chance: Random, message: bytes) -> bytes:
    """A line stands there several times."""
    lines = message.split(b"\r\n")
    at = chance.randrange(len(lines))
    return b"\r\n".join([*lines[:at], *([lines[at]] * chance.randint(2, 20)), *lines[at + 1 :]])


def swap(chance: Random, message: bytes) -> bytes:
    """Two lines have changed places."""
    lines = message.split(b"\r\n")
    one, other = (chance.randrange(len(lines)) for _ in range(2))
    lines[one], lines[other] = lines[other], lines[one]
    return b"\r\n".join(lines)


def inflate(chance: Random, message: bytes) -> bytes:
    """A number has become another, too large, negative or none."""
    found = list(re.finditer(rb"\d+", message))
    if not found:
        return message
    number = chance.choice(found)
    return message[: number.start()] + chance.choice(NUMBERS) + message[number.end() :]


DAMAGES: tuple[Damage, ...] = (flip, cut, insert, repeat, swap, inflate)
SPLINTERS = (
    b"\x00", b"\xff", b"\xff\xfe", b"\xc3(", b"\xe2\x80\xae", b"\x1b[2J", b"\r\n", b"\n", b"\r\n\r\n",
    b"\r\n ", b'"', b"\\", b"%ff", b"%00", b"%22%ff", b"${EPOCH}", b"$[1/0]", b"\x60id\x60", b",", b";", b"<",
    b">", b"@", b"../../", b"A" * 3000, b"%s%n", b":" * 50, b"\t" * 50,
)  # fmt: skip
NUMBERS = (b"", b"-1", b"0", b"65536", b"2147483648", b"4294967296", b"9" * 30, b"0x41", b"1e9")
