"""The embedded parts of one run: start, watch and stop PostgreSQL, Asterisk, engine and worker."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import aiohttp

from devkit import asterisk
from devkit.children import spawn, tail
from devkit.postgres import Running, start_postgres
from devkit.seaweed import Seaweed, starting, wait_ready


class PartTrouble(Exception):
    """A part did not start; the message says what to look at."""


class Part(Protocol):
    """A part with one process. A restart keeps its addresses."""

    name: str

    async def start(self) -> None:
        """Start it and wait until it is ready. Raises PartTrouble, or an error of its launcher."""

    @property
    def process(self) -> "subprocess.Popen[bytes] | None": ...

    def terminate(self) -> None:
        """Send the signal that ends it."""

    def release(self) -> None:
        """Release its resources, after it has ended."""


@dataclass
class Postgres:
    """PostgreSQL on STATE/postgres."""

    state: Path
    name: str = "postgres"
    running: Running | None = None

    async def start(self) -> None:
        port = self.running.port if self.running else None
        self.running = await start_postgres(
            self.state / "postgres", self.state / "log" / "postgres.log", port=port
        )

    @property
    def process(self) -> "subprocess.Popen[bytes] | None":
        return self.running.process if self.running else None

    @property
    def url(self) -> str:
        if self.running is None:
            raise PartTrouble("PostgreSQL has not been started")
        return self.running.url

    def terminate(self) -> None:
        send(self.process, signal.SIGINT)

    def release(self) -> None:
        """Do nothing: it holds no resources."""


@dataclass
class Bucket:
    """SeaweedFS on STATE/seaweed, with one bucket for audio."""

    state: Path
    name: str = "seaweed"
    bucket: str = "callengine"
    running: Seaweed | None = None
    _held: ExitStack = field(default_factory=ExitStack)

    async def start(self) -> None:
        if self.running is None:
            store = starting(self.state / "seaweed", self.state / "log" / "seaweed.log")
            self.running = self._held.enter_context(store)
        else:
            self.running.restart()
        await asyncio.to_thread(wait_ready, self.running)
        await asyncio.to_thread(self.running.ensure_bucket, self.bucket)

    @property
    def process(self) -> "subprocess.Popen[bytes] | None":
        return self.running.process if self.running else None

    @property
    def store(self) -> Seaweed:
        if self.running is None:
            raise PartTrouble("SeaweedFS has not been started")
        return self.running

    def terminate(self) -> None:
        send(self.process, signal.SIGTERM)

    def release(self) -> None:
        self._held.close()


@dataclass
class Asterisk:
    """Asterisk on STATE/asterisk."""

    state: Path
    options: asterisk.Options
    name: str = "asterisk"
    running: asterisk.Asterisk | None = None

    async def start(self) -> None:
        if self.running is None:
            self.running = asterisk.start_asterisk(self.state / "asterisk", self.options)
        else:
            self.running.restart()
        await asyncio.to_thread(self.running.wait_until_ready)

    @property
    def process(self) -> "subprocess.Popen[bytes] | None":
        return self.running.process if self.running else None

    @property
    def endpoint(self) -> asterisk.Endpoint:
        if self.running is None:
            raise PartTrouble("Asterisk has not been started")
        return self.running.endpoint

    def terminate(self) -> None:
        send(self.process, signal.SIGTERM)

    def release(self) -> None:
        if self.running is not None:
            self.running.stop()


@dataclass
class Command:
    """A `callengine` command that serves /ready at `health` (http://HOST:PORT)."""

    name: str
    words: Sequence[str]
    health: str
    log: Path
    environment: Callable[[], Mapping[str, str]]
    process: "subprocess.Popen[bytes] | None" = None

    async def start(self, seconds: float = 30) -> None:
        command = [sys.executable, "-P", "-m", "cli", *self.words]
        # SIGKILL if we are killed: two engines must never share a journal.
        self.process = spawn(command, self.log, env=self.environment(), farewell=signal.SIGKILL)
        deadline = time.monotonic() + seconds
        while not await is_ready(self.health):
            if self.process.poll() is not None:
                raise PartTrouble(f"{self.name} ended with {self.process.returncode}; {self._last_words()}")
            if time.monotonic() > deadline:
                self.process.kill()
                raise PartTrouble(f"{self.name} is not ready after {seconds:.0f} s; {self._last_words()}")
            await asyncio.sleep(0.03)

    def _last_words(self) -> str:
        return f"{self.log} ends with:\n{tail(self.log)}"

    def terminate(self) -> None:
        send(self.process, signal.SIGTERM)

    def release(self) -> None:
        """Do nothing: it holds no resources."""


def send(process: "subprocess.Popen[bytes] | None", what: signal.Signals) -> None:
    if process is not None and process.poll() is None:
        process.send_signal(what)


async def is_ready(health: str) -> bool:
    timeout = aiohttp.ClientTimeout(total=2)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(f"{health}/ready") as reply:
            return reply.status == 200
    except (aiohttp.ClientError, TimeoutError, OSError):
        return False


async def ended(process: "subprocess.Popen[bytes]") -> int:
    """Wait for the end of a child process without polling; return its exit status."""
    if process.poll() is None:
        exited = asyncio.Event()
        loop = asyncio.get_running_loop()
        handle = os.pidfd_open(process.pid)
        loop.add_reader(handle, exited.set)
        try:
            await exited.wait()
        finally:
            loop.remove_reader(handle)
            os.close(handle)
    return process.wait()


async def end(parts: Sequence[Part], seconds: float) -> None:
    """Terminate these parts, all at the same time; kill those that do not end in time."""
    for part in parts:
        part.terminate()
    processes = [part.process for part in parts if part.process is not None]
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.gather(*map(ended, processes))
    for process in processes:
        send(process, signal.SIGKILL)
        process.wait()
    for part in parts:
        part.release()


async def together(*starts: Coroutine[None, None, None]) -> None:
    """Await all; the first error cancels the others and is raised itself, not in a group."""
    tasks = [asyncio.ensure_future(start) for start in starts]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
