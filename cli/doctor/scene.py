"""What the checks look at: the settings, and ways to ask the system. Tests replace the ways."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import aiohttp
import asyncpg
import dns.asyncresolver
import dns.resolver

from cli.database import connected
from config.credentials import folder_beside
from config.settings import Settings
from engine.ari.client import Client


@dataclass(frozen=True, slots=True)
class Reply:
    """What a program printed and how it ended, or an HTTP answer with its status."""

    status: int
    text: str


class Run(Protocol):
    async def __call__(self, *command: str) -> Reply: ...


class Fetch(Protocol):
    async def __call__(self, url: str) -> Reply: ...


class Resolve(Protocol):
    async def __call__(self, name: str, kind: str) -> list[str]: ...


async def run_program(*command: str) -> Reply:
    """Run a program and wait for its end; stdout and stderr together. Raises OSError."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    return Reply(process.returncode or 0, output.decode("utf-8", "replace"))


async def fetch_page(url: str) -> Reply:
    """GET a page. Raises aiohttp.ClientError."""
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return Reply(answer.status, (await answer.content.read(2**22)).decode("utf-8", "replace"))


async def resolve_name(name: str, kind: str) -> list[str]:
    """The records of this kind (MX, TXT, A, PTR), as text; none where there are none. Raises DNSException."""
    resolver = dns.asyncresolver.get_default_resolver()
    try:
        return [str(record) for record in await resolver.resolve(name, kind, lifetime=5)]
    except (dns.resolver.NoAnswer, dns.resolver.NXDOMAIN):
        return []


@dataclass(frozen=True)
class Scene:
    """`file`: the settings file. `proc`: where the kernel shows processes and sockets."""

    settings: Settings
    file: Path
    run: Run = run_program
    fetch: Fetch = fetch_page
    resolve: Resolve = resolve_name
    proc: Path = Path("/proc")
    database: Callable[[str], AbstractAsyncContextManager[asyncpg.Connection]] = connected

    @property
    def credentials(self) -> Path:
        return folder_beside(self.file)

    @property
    def engine(self) -> str:
        """Where the engine serves /ready and /metrics."""
        return f"http://{self.settings.http.host}:{self.settings.http.engine_port}"

    @property
    def worker(self) -> str:
        return f"http://{self.settings.http.host}:{self.settings.http.worker_port}"

    def connection(self) -> AbstractAsyncContextManager[asyncpg.Connection]:
        """A connection to the database of the settings."""
        return self.database(self.settings.database.get_secret_value())

    @asynccontextmanager
    async def asterisk(self) -> AsyncIterator[Client]:
        """ARI, with the login of the settings."""
        ari = self.settings.ari
        async with Client(f"{ari.url}/ari", ari.user, ari.password.get_secret_value()) as client:
            yield client
