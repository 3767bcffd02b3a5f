"""SIPp at both ends: places calls at a rate, answers them, and logs the instants."""

import asyncio
import os
import secrets
import shutil
import signal
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import SOCK_DGRAM
from tempfile import TemporaryDirectory

import soundfile

from bench.calls import Failure, Load, read_calls, read_sent, read_taken
from bench.failures import Logs, read_failures, read_retransmissions
from config.prompts import VOICES
from devkit.children import free_port

LOOPBACK = "127.0.0.1"
SCENARIOS = Path(__file__).parent / "scenarios"
NUMBER = "+32800000001"  # one destination, which answers
RACE = "+32800000003"  # three: one answers, two ring
RECORDED = "+32800000005"  # one destination, which answers; the recording is announced to the caller
MESSAGES = "+32800000007"  # no destination: a message is taken
DESTINATION = "+32470000001"
RACERS = (DESTINATION, "+32470000009", "+32470000019")
ANSWER_AFTER_MS = 100
CALL_IDS = 1_000  # prefixes, used in turn; the rest of the Call-ID differs
REPLY_MS = 5_000  # a call that waits longer for a reply has failed
STREAM = '<nop><action><exec rtp_stream="{file},-1,8,PCMA/8000"/></action></nop>'
SPEECH = VOICES / "en" / "greeting.wav"  # the audio of both ends, repeated
# Above Asterisk's ports (devkit.ports), without overlap.
RTP_PORTS = {"caller": (34_000, 46_999), "destination": (47_000, 60_000)}


class SippTrouble(Exception):
    """SIPp could not be run; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Drive:
    """`rate` calls a second to `number` for `seconds`, each with a talk of `talk` seconds.

    `media`: both ends send G.711.
    """

    rate: float
    seconds: float
    talk: float = 1.0
    number: str = NUMBER
    media: bool = False

    @property
    def calls(self) -> int:
        return max(1, round(self.rate * self.seconds))


def command() -> tuple[str, ...]:
    """The command of SIPp: SIPP_BIN, else the tree that scripts/fetch-sipp.sh unpacks, by its own loader."""
    if installed := os.environ.get("SIPP_BIN"):
        return (installed,)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    tree = cache / "callengine" / "sipp-3" / "tree"
    loader = next(tree.glob("usr/lib/*-linux-gnu/ld-linux-*.so.*"), None)
    if loader is None:
        raise SippTrouble(f"there is no SIPp in {tree}; run scripts/fetch-sipp.sh (or make bench)")
    return (str(loader), "--inhibit-cache", "--library-path", str(loader.parent), str(tree / "usr/bin/sipp"))


@dataclass(frozen=True, slots=True)
class Ends:
    """The system's address (`sip`) and that of the destinations (`carrier`), each HOST:PORT."""

    sip: str
    carrier: str

    async def drive(self, drive: Drive) -> Load:
        """Place these calls and wait for their end; bounded in time whatever the system does."""
        with TemporaryDirectory(prefix="bench-") as scratch:
            folder = Path(scratch)
            async with destinations(self.carrier, folder, media=drive.media):
                await place(self.sip, drive, folder)
            logs = {name: Logs.of(folder, name) for name in ("caller", "destination")}
            failures = failed_calls(drive, folder, folder)
        calls = read_calls(logs["caller"].lines, logs["destination"].lines)
        return Load(drive.rate, drive.calls, calls, failures, read_retransmissions(logs))

    async def leave(self, drive: Drive) -> tuple[Failure, ...]:
        """Place these calls, which the system answers itself; return those that failed."""
        with TemporaryDirectory(prefix="bench-") as scratch:
            await place(self.sip, drive, Path(scratch))
            return failed_calls(drive, Path(scratch))


def failed_calls(drive: Drive, caller: Path, destination: Path | None = None) -> tuple[Failure, ...]:
    """The failed ones of these calls, from the logs in the folders of the two ends."""
    sent, taken = Logs.of(caller, "caller"), Logs("")
    succeeded = set(read_sent(sent.lines))
    if destination is not None:
        taken = Logs.of(destination, "destination")
        succeeded &= read_taken(taken.lines).keys()
    return read_failures(drive.calls, succeeded, sent, taken, REPLY_MS / 1000)


@asynccontextmanager
async def destinations(carrier: str, folder: Path, *, media: bool) -> AsyncIterator[None]:
    port = carrier.rpartition(":")[2]
    words = ["-p", port, "-d", str(ANSWER_AFTER_MS)]
    process = await sipp("destination", words, folder, media=media)
    try:
        yield
    finally:
        await end(process)


async def place(sip: str, drive: Drive, folder: Path) -> None:
    longest = drive.seconds + drive.talk + 2 * REPLY_MS / 1000
    (ids := folder / "ids.csv").write_text(call_ids())
    words = [
        sip,
        "-inf",
        str(ids),
        "-p",
        str(free_port(SOCK_DGRAM)),
        "-s",
        drive.number,
        "-r",
        f"{drive.rate:g}",
    ]
    words += ["-m", str(drive.calls), "-l", str(drive.calls), "-d", str(round(drive.talk * 1000))]
    words += ["-recv_timeout", str(REPLY_MS), "-timeout", f"{longest:.0f}"]
    process = await sipp("caller", words, folder, media=drive.media)
    try:
        async with asyncio.timeout(longest + 5):
            await process.wait()
    except TimeoutError:
        pass  # calls without a log line have failed
    finally:
        await end(process)


def call_ids() -> str:
    """Prefixes of Call-IDs, as diverse as those of telephones: SIPp's own are too similar."""
    return "\n".join(["SEQUENTIAL", *(secrets.token_hex(16) for _ in range(CALL_IDS)), ""])


async def sipp(name: str, words: list[str], folder: Path, *, media: bool) -> Process:
    """Start SIPp on the scenario of that name; it logs to `folder`/`name`.log."""
    scenario = folder / f"{name}.xml"
    scenario.write_text(written(name, folder, media=media))
    log = folder / f"{name}.log"
    log.touch()
    words += ["-sf", str(scenario), "-i", LOOPBACK, "-ci", LOOPBACK, "-cp", str(free_port(SOCK_DGRAM))]
    low, high = RTP_PORTS[name]
    words += ["-min_rtp_port", str(low), "-max_rtp_port", str(high)]
    words += ["-trace_err", "-error_file", str(folder / f"{name}.errors"), "-trace_counts"]
    words += ["-trace_logs", "-log_file", str(log), "-nostdin", "-nd", "-buff_size", "212992"]
    with (folder / f"{name}.out").open("wb") as output:
        return await asyncio.create_subprocess_exec(
            *command(), *words, cwd=folder, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output
        )


def written(name: str, folder: Path, *, media: bool) -> str:
    """The scenario, with or without G.711 for as long as the call talks."""
    text = (SCENARIOS / f"{name}.xml").read_text()
    if not media:
        return text.replace("@MEDIA@", "").replace("@PORT@", "media_port")
    text = text.replace("@PORT@", "rtpstream_audio_port")
    sound = folder / "speech.al"
    soundfile.write(sound, *soundfile.read(SPEECH), format="RAW", subtype="ALAW")
    return text.replace("@MEDIA@", STREAM.format(file=sound))


async def end(process: Process) -> None:
    """End SIPp: SIGUSR1 lets it write its log, for two seconds."""
    for how in (signal.SIGUSR1, signal.SIGTERM, signal.SIGKILL):
        if process.returncode is not None:
            return
        process.send_signal(how)
        try:
            async with asyncio.timeout(2):
                await process.wait()
        except TimeoutError:
            continue


def is_there() -> bool:
    return shutil.which(command()[0]) is not None
