"""Messages left by real calls, the mails they become, and whatever of their sound is still lying about."""

import asyncio
import io
import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from functools import cache
from pathlib import Path
from urllib.request import urlopen

import asyncpg
import numpy as np
import soundfile

from devkit.audio import RATE, Samples, alaw, read_wav
from devkit.handset import Handset
from devkit.phones import Identity
from tests.lateness import PATIENCE
from tests.live.service import House, Service, until

ROOT = Path(__file__).resolve().parents[2]
BEEP_HZ = 1000
VOICES = "config/voices"
PROBE = 160  # samples: 20 ms of speech stand nowhere by chance


@cache
def voices() -> Samples:
    """113 s of people speaking."""
    return np.concatenate([read_wav(file) for file in sorted((ROOT / VOICES).glob("*/*.wav"))])


def speech(seconds: float, which: int = 0) -> Samples:
    """That much of it: another piece for each `which`."""
    size = round(seconds * RATE)
    start = which * size % (len(voices()) - size)
    return voices()[start : start + size]


async def leave_message(service: Service, number: str, said: Samples, who: Identity | None = None) -> Handset:
    """Call, wait for the beep, say it, hang up."""
    caller = await begin_message(service, number, said, who)
    await hang_up_after(caller)
    await caller.wait_ended()
    return caller


async def hang_up_after(caller: Handset) -> None:
    """Hang up once the message has been said, and has come through."""
    await caller.wait_said()
    await asyncio.sleep(0.3)  # its last packets are on their way
    await caller.hang_up()


async def begin_message(service: Service, number: str, said: Samples, who: Identity | None = None) -> Handset:
    """Call, wait for the beep, begin to say it."""
    caller = await service.call(number, who, says=())
    await caller.hears(BEEP_HZ)
    await until(lambda: caller.level(BEEP_HZ, last=0.1) < 0.02)
    await asyncio.sleep(0.2)  # a breath, as people take one
    caller.play(said)
    return caller


@dataclass(frozen=True)
class Mail:
    """A mail as it came: over which TLS, and its bytes."""

    recipients: Sequence[str]
    tls: str
    raw: bytes

    @property
    def message(self) -> EmailMessage:
        return message_from_bytes(self.raw, EmailMessage, policy=default)

    @property
    def text(self) -> str:
        """Headers and bodies, decoded."""
        message = self.message
        bodies = [message.get_body((kind,)) for kind in ("plain", "html")]
        told = [f"{name}: {value}" for name, value in message.items()]
        return "\n".join([*told, *(part.get_content() for part in bodies if part)])

    @property
    def files(self) -> list[EmailMessage]:
        return list(self.message.iter_attachments())

    @property
    def sound(self) -> Samples:
        """What is attached, decoded."""
        (file,) = self.files
        samples, rate = soundfile.read(io.BytesIO(file.get_content()), dtype="int16")
        assert rate == RATE
        heard: Samples = np.asarray(samples, np.int16)
        return heard


def mails(house: House, recipient: str | None = None) -> list[Mail]:
    """Every mail that has come so far (to that address)."""
    page = house.run.mailbox
    with urlopen(f"{page}/messages", timeout=5) as reply:  # noqa: S310 - our own http address
        listed = json.load(reply)
    return [
        Mail(mail["recipients"], mail["tls"], fetched(f"{page}{mail['raw']}"))
        for mail in listed
        if recipient is None or recipient in mail["recipients"]
    ]


def fetched(address: str) -> bytes:
    with urlopen(address, timeout=5) as reply:  # noqa: S310 - our own http address
        data: bytes = reply.read()
    return data


async def mail_to(house: House, recipient: str, least: int = 1, seconds: float = PATIENCE) -> list[Mail]:
    """The mails to that address, once there are at least so many."""
    deadline = time.monotonic() + seconds
    while len(found := await asyncio.to_thread(mails, house, recipient)) < least:
        assert time.monotonic() < deadline, f"{len(found)} mails after {seconds} s, not {least}"
        await asyncio.sleep(0.1)
    return found


def write_owner(house: House, name: str, **settings: object) -> str:
    """An owner's file; his address. It is in force with the next number that is agreed."""
    address = f"{name}@acme.example"
    terms = {"name": name, "language": "en", "mail": address, **settings}
    (house.routing / "owners" / f"{name}.yaml").write_text(json.dumps(terms))
    return address


async def states(service: Service, number: str) -> list[str]:
    """Of the messages of that number and of their sounds."""
    con = await asyncpg.connect(service.house.run.database)
    try:
        rows = await con.fetch(
            """
            SELECT message.state, audio.state AS sound FROM message LEFT JOIN audio ON audio_id = message_id
            WHERE message.number = $1 ORDER BY message_id
            """,
            number,
        )
        return [f"{row['state']}/{row['sound']}" for row in rows]
    finally:
        await con.close()


async def settled(
    service: Service, number: str, state: str, count: int = 1, seconds: float = PATIENCE
) -> None:
    """Wait until all `count` messages of that number, and their sounds, have come to this."""
    deadline = time.monotonic() + seconds
    while (found := await states(service, number)) != [state] * count:
        assert time.monotonic() < deadline, f"{found} after {seconds} s"
        await asyncio.sleep(0.1)


# What of a sound is searched for.


def from_alaw(line: bytes) -> Samples:
    """As Asterisk makes samples of it."""
    code = np.frombuffer(line, np.uint8).astype(np.int32) ^ 0x55
    segment, low = (code & 0x70) >> 4, (code & 0x0F) << 4
    value = np.where(segment == 0, low + 8, (low + 0x108) << np.maximum(segment - 1, 0))
    sound: Samples = np.where(code & 0x80, value, -value).astype(np.int16)
    return sound


def probes(said: Samples) -> Mapping[str, bytes]:
    """A piece of what was said, out of its middle, as its samples and as it was on the line."""
    louder = np.convolve(np.abs(said.astype(np.float64)), np.ones(PROBE), "valid")
    start = len(said) // 4 + int(np.argmax(louder[len(said) // 4 : 3 * len(said) // 4]))
    line = alaw(said[start : start + PROBE])
    return {"samples": from_alaw(line).astype("<i2").tobytes(), "line": line}


def traces(house: House, said: Samples, mailed: Sequence[bytes], since: float) -> list[str]:
    """Where a piece of that sound lies: in the run's files (but the owners' own mailbox), or temporary ones.

    `mailed`: the sound as it went out; `since`: temporary files written after that instant are looked at.
    """
    looked_for = [*probes(said).values(), *(data[len(data) // 2 :][:PROBE] for data in mailed)]
    found = []
    for file in [*files_of(house), *temporary_files(since)]:
        try:
            data = file.read_bytes()
        except FileNotFoundError:
            continue
        if any(piece in data for piece in looked_for):
            found.append(str(file))
    return found


def files_of(house: House) -> Iterator[Path]:
    for file in house.state.rglob("*"):
        if file.is_file() and "mailbox" not in file.relative_to(house.state).parts:
            yield file


def temporary_files(since: float) -> Iterator[Path]:
    """Those right in the temporary folder, and in folders of ours there."""
    folder = Path(tempfile.gettempdir())
    for file in [*folder.glob("*"), *folder.glob("callengine*/**/*"), *folder.glob("tmp*/*")]:
        try:
            if file.is_file() and file.stat().st_mtime >= since:
                yield file
        except OSError:
            continue
