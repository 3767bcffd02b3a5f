"""A SIP telephone that nobody here wrote, as a process: baresip of Debian's archive.

The telephones of `devkit.phones` are made of the same stack, by its Python package; this one is the program,
with TLS, SRTP and its own modules, controlled by its TCP interface (module ctrl_tcp).
"""

import asyncio
import json
import os
import subprocess
import wave
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from devkit.audio import RATE, Samples, read_wav, tone, write_wav
from devkit.ports import reserve_ports
from tests.lateness import PATIENCE
from tests.live.service import until

HERE = Path(__file__).parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "callengine/baresip-2"
MODULES = ("g711", "g722", "opus", "aufile", "srtp")
SECONDS = 60  # of its tone
PLAYED = "player.wav"  # what its user hears; begun anew when a stream begins
APPS = ("account", "menu", "ctrl_tcp")
CONFIG = """\
sip_listen {host}:{port}
audio_source aufile,{folder}/tone.wav
audio_player aufile,{folder}/{played}
ausrc_srate {rate}
auplay_srate {rate}
ausrc_channels 1
auplay_channels 1
ctrl_tcp_listen 127.0.0.1:{control}
module_path {modules}
rtp_stats yes
"""


@dataclass(frozen=True)
class Wanted:
    """`hz`: the tone that it says. `transport`: udp, tcp or tls. `srtp`: audio is encrypted, or refused.

    `answers`: by itself. `certificate`, `authorities`: files in PEM, for TLS. `codecs`: by baresip's names.
    """

    hz: int
    transport: str = "udp"
    srtp: bool = False
    answers: bool = False
    certificate: Path | None = None
    authorities: Path | None = None
    codecs: str = "pcma"
    login: str = ""


@dataclass
class Telephone:
    """A running telephone. `address`: its HOST:PORT. `events`: the types of its events, in order."""

    address: str
    folder: Path
    _reader: asyncio.StreamReader
    _writer: asyncio.StreamWriter
    events: list[dict[str, Any]] = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def dial(self, uri: str) -> None:
        await self._command("dial", uri)

    async def hang_up(self) -> None:
        await self._command("hangup")

    async def press(self, keys: str) -> None:
        """Send these keys, as telephone events (RFC 4733)."""
        for key in keys:
            await self._command("sndcode", key)

    async def happened(self, kind: str, count: int = 1) -> dict[str, Any]:
        """Wait for the `count`-th event of this kind. Raises TimeoutError."""
        async with asyncio.timeout(PATIENCE):
            while len(seen := [event for event in self.events if event["type"] == kind]) < count:
                self._changed.clear()
                await self._changed.wait()
        return seen[count - 1]

    async def heard(self) -> Samples:
        """Everything that it has heard in its last call, which is over. Raises TimeoutError."""
        played = self.folder / PLAYED
        await until(lambda: is_whole(played))  # the event of the end comes before the file is closed
        return read_wav(played)

    async def hears(self, seconds: float) -> None:
        """Wait until it has heard so many more seconds of its call. Raises TimeoutError."""
        wanted = self._bytes() + round(seconds * RATE) * 2
        await until(lambda: self._bytes() >= wanted, seconds + PATIENCE)

    def _bytes(self) -> int:
        played = self.folder / PLAYED
        return played.stat().st_size if played.exists() else 0

    async def _command(self, command: str, params: str = "") -> None:
        text = json.dumps({"command": command, "params": params, "token": "test"})
        self._writer.write(f"{len(text)}:{text},".encode())
        await self._writer.drain()

    async def listen(self) -> None:
        """Take in what it reports, until it ends."""
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                size = (await self._reader.readuntil(b":"))[:-1]
                message = json.loads((await self._reader.readexactly(int(size) + 1))[:-1])
                if message.get("event"):
                    self.events.append(message)
                    self._changed.set()


def is_whole(file: Path) -> bool:
    """Whether this WAV file is closed: its header then has its length."""
    try:
        return len(read_wav(file)) > 0
    except (wave.Error, EOFError):
        return False


def fetched() -> Path:
    """The unpacked program; fetched the first time."""
    subprocess.run([HERE / "scripts/fetch-baresip.sh"], check=True, timeout=110)
    return CACHE / "tree"


@asynccontextmanager
async def telephone(folder: Path, wanted: Wanted) -> AsyncIterator[Telephone]:
    """A telephone with its files in `folder`; it ends with the block."""
    tree = await asyncio.to_thread(fetched)
    with reserve_ports(4) as ports:
        _write_files(folder, wanted, tree, ports)
        command = [*_loader(tree), str(tree / "usr/bin/baresip"), "-4", "-f", str(folder)]
        with (folder / "output").open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *command, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        try:
            reader, writer = await _connected(ports[2])
            one = Telephone(f"127.0.0.1:{_port(wanted, ports)}", folder, reader, writer)
            listening = asyncio.create_task(one.listen())
            try:
                yield one
            finally:
                listening.cancel()
                await asyncio.wait([listening])
                writer.close()
        finally:
            with suppress(ProcessLookupError):
                process.terminate()
            await process.wait()


def _port(wanted: Wanted, ports: Sequence[int]) -> int:
    return ports[0] + 1 if wanted.transport == "tls" else ports[0]  # baresip: TLS on the next port


def _write_files(folder: Path, wanted: Wanted, tree: Path, ports: Sequence[int]) -> None:
    folder.mkdir(parents=True)
    modules = tree / "usr/lib/baresip/modules"
    values = {"host": "127.0.0.1", "port": ports[0], "control": ports[2], "rate": RATE}
    lines = [CONFIG.format(folder=folder, modules=modules, played=PLAYED, **values)]
    lines += [f"module {name}.so" for name in MODULES]
    lines += [f"module_app {name}.so" for name in APPS]
    if wanted.certificate:
        lines.append(f"sip_certificate {wanted.certificate}")
    if wanted.authorities:
        lines.append(f"sip_cafile {wanted.authorities}")
    (folder / "config").write_text("\n".join(lines) + "\n")
    (folder / "contacts").touch()
    write_wav(folder / "tone.wav", tone((wanted.hz,), SECONDS * RATE))
    (folder / "accounts").write_text(_account(wanted) + "\n")


def _account(wanted: Wanted) -> str:
    words = ["regint=0", "catchall=yes", f"answermode={'auto' if wanted.answers else 'manual'}"]
    words += [f"audio_codecs={wanted.codecs}", *(["mediaenc=srtp-mand"] if wanted.srtp else [])]
    user = wanted.login or "+32225000001"
    return f"<sip:{user}@127.0.0.1;transport={wanted.transport}>;{';'.join(words)}"


def _loader(tree: Path) -> list[str]:
    (loader,) = tree.glob("usr/lib/*-linux-gnu/ld-linux-*.so.*")
    return [str(loader), "--inhibit-cache", "--library-path", str(loader.parent)]


async def _connected(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """The telephone's control interface, once it listens. Raises TimeoutError."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                return await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                await asyncio.sleep(0.02)
