"""Parts of a running service that a test ends, and starts again."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.error import HTTPError

from devkit.asterisk import Endpoint
from devkit.parts import Part, ended
from tests.lateness import PATIENCE
from tests.live.ari import ask
from tests.live.service import Service, until


class Fragile:
    """A part that a test ends and starts again."""

    def __init__(self, part: Part) -> None:
        self._part = part

    async def end(self, how: signal.Signals = signal.SIGKILL) -> None:
        """Send it that signal, and wait until it has ended."""
        assert self._part.process is not None
        self._part.process.send_signal(how)
        async with asyncio.timeout(PATIENCE):
            await ended(self._part.process)

    def freeze(self) -> None:
        """Let it run no further until it is ended."""
        assert self._part.process is not None
        self._part.process.send_signal(signal.SIGSTOP)

    async def start(self) -> None:
        """Start it, unless it runs; it is ready when this returns."""
        if self._part.process is None or self._part.process.poll() is not None:
            await self._part.start()


async def away(service: Service) -> None:
    """Wait until Asterisk knows that no engine is there: it counts whole seconds, a tick late."""
    alive = int(ask(service.house.endpoint, "/asterisk/variable?variable=ENGINE_ALIVE")["value"])
    await until(lambda: time.time() > alive + 4.1)


@asynccontextmanager
async def seems_alive(service: Service) -> AsyncIterator[None]:
    """Calls are given to the engine, and wait for it: a busy machine may need more than 5 s to start it."""

    async def keep() -> None:
        while True:
            await asyncio.to_thread(seem_alive, service.house.endpoint)
            await asyncio.sleep(1)

    keeping = asyncio.create_task(keep())
    try:
        yield
    finally:
        keeping.cancel()


def seem_alive(endpoint: Endpoint) -> None:
    """An engine is expected back, and callers who wait for it have 10 s more."""
    ask(endpoint, f"/asterisk/variable?variable=ENGINE_ALIVE&value={int(time.time()) + 5}", "POST")
    waiting = [it["id"] for it in ask(endpoint, "/channels") if it["dialplan"]["app_name"] == "Stasis"]
    for channel in waiting:
        with suppress(HTTPError):  # it has gone meanwhile
            ask(endpoint, f"/channels/{channel}/variable?variable=TIMEOUT(absolute)&value=10", "POST")


def reads_a_version(service: Service) -> bool:
    """Whether the engine has a kept routing version read, which is slow on a busy machine: a process each."""
    words = (b"config.versioning", bytes(service.house.state / "routing-versions"))
    return any(set(words) <= set(_command(process)) for process in Path("/proc").glob("[0-9]*"))


def _command(process: Path) -> list[bytes]:
    try:
        return (process / "cmdline").read_bytes().split(b"\0")
    except OSError:  # it has ended
        return []
