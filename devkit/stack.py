"""Everything of one `callengine dev`: its parts on free ports, kept running, told about in endpoints.json."""

import asyncio
import fcntl
import json
import os
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from devkit.asterisk import AsteriskTrouble, Options
from devkit.mailbox import authority
from devkit.parts import Asterisk, Bucket, Command, Part, PartTrouble, Postgres, end, ended
from devkit.ports import reserve_ports
from devkit.postgres import PostgresError
from devkit.seaweed import SeaweedError
from storage.key_wrapper import new_master_key

LOOPBACK = "127.0.0.1"
SENDER = "voicemail@callengine.example"
TROUBLE = (PartTrouble, PostgresError, SeaweedError, AsteriskTrouble, OSError)
QUICK_DEATH = 10.0  # s: who lives shorter is started again later and later
LONGEST_PAUSE = 5.0  # s
LAST_WISHES = 3.0  # s for engine and worker, then LAST_WISHES + 1 for what they lean on: 7 s in all


class StateTaken(Exception):
    """Another run keeps its things in this folder."""


@dataclass(frozen=True)
class Wish:
    """What a run is to be. `carrier`, `sip`: HOST:PORT. `database`, `smtp`: the URL of a database and the
    HOST:PORT of a mail server in place of ours. `cap`: calls at once, `number_cap`: of one number
    (devkit.asterisk.Options). `s3`: sounds in a bucket of ours."""

    routing: Path
    state: Path
    carrier: str
    sip: str | None = None
    database: str | None = None
    smtp: str | None = None
    cap: int = 200
    number_cap: int = 0
    s3: bool = False


class Stack:
    """A run whose parts are ready. Get it from `stack()`."""

    def __init__(self, wish: Wish, ports: range, tell: Callable[[str], None]) -> None:
        self.wish = wish
        self._tell = tell
        logs = wish.state / "log"
        self._postgres = None if wish.database else Postgres(wish.state)
        self._bucket = Bucket(wish.state) if wish.s3 else None
        options = Options(carrier=wish.carrier, sip=wish.sip, cap=wish.cap, number_cap=wish.number_cap)
        self._asterisk = Asterisk(wish.state, options)
        self._ports = ports
        web = [f"http://{LOOPBACK}:{port}" for port in ports]
        self._engine = Command("engine", ["run"], web[0], logs / "engine.log", self.environment)
        self._worker = Command("worker", ["work"], web[1], logs / "worker.log", self.environment)
        words = ["mailbox", f"--folder={wish.state / 'mailbox'}", f"--web={LOOPBACK}:{ports[2]}"]
        words += [f"--smtp={LOOPBACK}:{ports[3]}"]
        mailbox = Command("mailbox", words, web[2], logs / "mailbox.log", dict)
        self._mailbox = None if wish.smtp else mailbox

    @property
    def parts(self) -> list[Part]:
        return [*self._below, self._engine, self._worker]

    @property
    def _below(self) -> list[Part]:
        """What engine and worker lean on. Asterisk first: it comes up by itself while a cluster is made."""
        parts: list[Part | None] = [self._asterisk, self._mailbox, self._postgres, self._bucket]
        return [part for part in parts if part is not None]

    @property
    def sip(self) -> str:
        """HOST:PORT where calls are taken."""
        return self._asterisk.endpoint.sip

    @property
    def database(self) -> str:
        """The URL of the database, password included."""
        return self._postgres.url if self._postgres else str(self.wish.database)

    @property
    def mailbox(self) -> str | None:
        """The address of the page that shows what was mailed; None where others take the mail."""
        return self._mailbox.health if self._mailbox else None

    @property
    def objects(self) -> str:
        """Where sounds are kept: a directory, or the address of a bucket."""
        if self._bucket:
            return f"{self._bucket.store.endpoint}/{self._bucket.bucket}"
        return str((self.wish.state / "objects").absolute())

    @property
    def metrics(self) -> str:
        return f"{self._engine.health}/metrics"

    async def start(self) -> None:
        """Start all parts, those that do not need each other at the same time. Raises one of TROUBLE."""
        await together(*map(self._start, self._below))
        self.write_settings()
        await together(self._start(self._engine), self._start(self._worker))
        self.write_endpoints()

    async def keep_running(self) -> None:
        """Start again whatever ends, for ever."""
        async with asyncio.TaskGroup() as group:
            for part in self.parts:
                group.create_task(self._keep(part))

    async def stop(self) -> None:
        """End everything; endpoints.json goes first, for nobody should come any more."""
        endpoints(self.wish.state).unlink(missing_ok=True)
        await end([self._engine, self._worker], LAST_WISHES)
        await end(self._below, LAST_WISHES + 1)

    def settings(self) -> dict[str, object]:
        """What engine and worker are told, by the names of `callengine settings --example`."""
        asterisk = self._asterisk.endpoint
        host, _, port = asterisk.events_address.rpartition(":")
        return {
            "node": "dev",
            "routing": str(self.wish.routing.absolute()),
            "state": str(self.wish.state.absolute()),
            "database": self.database,
            "ari.url": asterisk.ari_url.removesuffix("/ari"),
            "ari.user": asterisk.ari_user,
            "ari.password": asterisk.ari_password,
            "ari.app": asterisk.app,
            "ari.events_host": host,
            "ari.events_port": int(port),
            "ari.events_user": asterisk.events_user,
            "ari.events_password": asterisk.events_password,
            "asterisk.etc_dir": str(asterisk.etc.absolute()),
            "asterisk.recordings": str(asterisk.recordings.absolute()),
            "asterisk.cel": str(asterisk.cel.absolute()),
            "asterisk.trunk": "PJSIP/{number}@trunk{n}",
            "master_key": master_key(self.wish.state),
            "http.engine_port": self._ports[0],
            "http.worker_port": self._ports[1],
            **self._mail_settings(),
            **self._objects_settings(),
        }

    def _mail_settings(self) -> dict[str, object]:
        """The mail server. A mail it accepts has arrived; our environment may set something else."""
        ours = f"{LOOPBACK}:{self._ports[3]}"
        host, _, port = (self.wish.smtp or ours).rpartition(":")
        told: dict[str, object] = {
            "mail.sender": SENDER,
            "mail.smarthost": host,
            "mail.port": int(port),
            "mail.bounce_window_hours": 0,
        }
        if self._mailbox:
            told["mail.authorities"] = str(authority(self.wish.state / "mailbox").absolute())
        return {key: value for key, value in told.items() if variable(key) not in os.environ}

    def _objects_settings(self) -> dict[str, object]:
        if self._bucket is None:
            return {}
        store = self._bucket.store
        return {
            "objects.bucket": self._bucket.bucket,
            "objects.endpoint": store.endpoint,
            "objects.access_key": store.access_key,
            "objects.secret_key": store.secret_key,
        }

    def environment(self) -> Mapping[str, str]:
        """The settings as environment; a settings file of this machine is not read."""
        told = {variable(key): str(it) for key, it in self.settings().items()}
        return {**told, "CALLENGINE_SETTINGS": str(settings_file(self.wish.state).absolute())}

    def full_environment(self) -> dict[str, str]:
        """Ours, with that: for commands beside the run."""
        return {**os.environ, **self.environment()}

    def write_settings(self) -> None:
        """STATE/callengine.toml, so that other commands can be used beside the run."""
        lines = ["# Written by callengine dev for its engine and worker, and for commands beside them."]
        lines += [f"{key} = {json.dumps(value)}" for key, value in self.settings().items()]
        write_private(settings_file(self.wish.state), "\n".join(lines) + "\n")

    def write_endpoints(self) -> None:
        """STATE/endpoints.json: where everything is and which process it is."""
        if self._bucket is None:
            (self.wish.state / "objects").mkdir(exist_ok=True)
        where = {
            "sip": self.sip,
            "database": self.database,
            "mailbox": self.mailbox,
            "objects": self.objects,
            "metrics": self.metrics,
            "pids": {part.name: part.process.pid for part in self.parts if part.process is not None},
        }
        write_private(endpoints(self.wish.state), json.dumps(where, indent=2) + "\n")

    async def _start(self, part: Part) -> None:
        began = time.monotonic()
        await part.start()
        self._tell(f"{part.name} is ready after {time.monotonic() - began:.1f} s")

    async def _keep(self, part: Part) -> None:
        pause = 0.1
        while part.process is not None:
            began = time.monotonic()
            code = await ended(part.process)
            self._tell(f"{part.name} has ended ({code}) and is started again")
            pause = 0.1 if time.monotonic() - began > QUICK_DEATH else min(2 * pause, LONGEST_PAUSE)
            await asyncio.sleep(pause)
            try:
                await part.start()
            except TROUBLE as trouble:
                self._tell(str(trouble))
            else:
                self.write_endpoints()


@asynccontextmanager
async def stack(wish: Wish, tell: Callable[[str], None]) -> AsyncIterator[Stack]:
    """The run, ready; it ends with the block. `tell` gets a line for each part that is ready, or has ended.

    Raises StateTaken, or one of TROUBLE when a part does not come up.
    """
    async with AsyncExitStack() as held:
        held.enter_context(state_of_ours(wish.state))
        ports = held.enter_context(reserve_ports(4))
        run = Stack(wish, ports, tell)
        held.push_async_callback(run.stop)
        await run.start()
        yield run


@contextmanager
def state_of_ours(state: Path) -> Iterator[None]:
    """Keep the folder to ourselves; the kernel lets go of the lock however we end. Raises StateTaken."""
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    (state / "log").mkdir(exist_ok=True)
    with (state / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StateTaken(
                f"another callengine dev is using {state}: stop it, or give --state another folder"
            ) from None
        endpoints(state).unlink(missing_ok=True)
        yield


async def together(*starts: Coroutine[None, None, None]) -> None:
    """Await all; the first trouble stops the others and is raised as itself, not as a group."""
    tasks = [asyncio.ensure_future(start) for start in starts]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


def master_key(state: Path) -> str:
    """The key of this run's sounds, made the first time: without it the next run could not open them."""
    file = state / "master_key"
    if not file.exists():
        write_private(file, new_master_key())
    return file.read_text()


def variable(setting: str) -> str:
    """The environment's name for it."""
    return f"CALLENGINE_{setting.upper().replace('.', '__')}"


def endpoints(state: Path) -> Path:
    return state / "endpoints.json"


def settings_file(state: Path) -> Path:
    return state / "callengine.toml"


def write_private(path: Path, text: str) -> None:
    """Put the file in place whole, for our eyes only: there are passwords in it."""
    draft = path.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    draft.rename(path)
