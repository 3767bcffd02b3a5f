"""One `callengine dev`: its parts on free ports, restarted if they end, listed in endpoints.json."""

import asyncio
import fcntl
import json
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from devkit.asterisk import Options
from devkit.asterisk_tree import AsteriskTrouble
from devkit.mailbox import authority
from devkit.parts import Asterisk, Bucket, Command, Part, PartTrouble, Postgres, end, ended, together
from devkit.portal_role import password_of, prepare_role
from devkit.portal_role import url_of as portal_database
from devkit.ports import NoPorts, reserve_ports
from devkit.postgres import PostgresError
from devkit.run_files import master_key, write_private
from devkit.seaweed import SeaweedError

LOOPBACK = "127.0.0.1"
SENDER = "voicemail@callengine.example"
TROUBLE = (PartTrouble, PostgresError, SeaweedError, AsteriskTrouble, NoPorts, OSError)
QUICK_DEATH = 10.0  # s: a part that ends sooner is restarted after growing pauses
LONGEST_PAUSE = 5.0  # s
STOP_SECONDS = 3.0  # for engine and worker, then 1 s more for the parts below them: 7 s in all


class StateTaken(Exception):
    """Another run uses this state folder."""


@dataclass(frozen=True)
class Wish:
    """The options of a run. `carrier`, `sip`: HOST:PORT. `database`, `smtp`: the URL of a database and the
    HOST:PORT of a mail server that replace ours. `cap`, `number_cap`, `values`: see devkit.asterisk.Options.
    `s3`: audio in a bucket of the embedded store. `portal`: with the owners'."""

    routing: Path
    state: Path
    carrier: str
    sip: str | None = None
    database: str | None = None
    smtp: str | None = None
    cap: int = 200
    number_cap: int = 0
    s3: bool = False
    portal: bool = False
    values: Mapping[str, str] = field(default_factory=dict)


class Stack:
    """A run. Created by `stack()`, with all parts ready."""

    def __init__(self, wish: Wish, ports: range, report: Callable[[str], None]) -> None:
        self.wish = wish
        self._report = report
        logs = wish.state / "log"
        self._postgres = None if wish.database else Postgres(wish.state)
        self._bucket = Bucket(wish.state) if wish.s3 else None
        options = Options(wish.carrier, wish.cap, wish.number_cap, sip=wish.sip, values=wish.values)
        self._asterisk = Asterisk(wish.state, options)
        self._ports = ports
        web = [f"http://{LOOPBACK}:{port}" for port in ports]
        self._engine = Command("engine", ["run"], web[0], logs / "engine.log", self.environment)
        self._worker = Command("worker", ["work"], web[1], logs / "worker.log", self.environment)
        words = ["mailbox", f"--folder={wish.state / 'mailbox'}", f"--web={LOOPBACK}:{ports[2]}"]
        words += [f"--smtp={LOOPBACK}:{ports[3]}"]
        mailbox = Command("mailbox", words, web[2], logs / "mailbox.log", dict)
        self._mailbox = None if wish.smtp else mailbox
        portal = Command("portal", ["portal"], web[4], logs / "portal.log", self.environment)
        self._portal = portal if wish.portal and not wish.database else None

    @property
    def parts(self) -> list[Part]:
        return [*self._below, *self._above]

    @property
    def _above(self) -> list[Part]:
        return [self._engine, self._worker, *([self._portal] if self._portal else [])]

    @property
    def _below(self) -> list[Part]:
        """The parts that engine and worker need. Asterisk first: it starts while the cluster is made."""
        parts: list[Part | None] = [self._asterisk, self._mailbox, self._postgres, self._bucket]
        return [part for part in parts if part is not None]

    @property
    def sip(self) -> str:
        """HOST:PORT where Asterisk takes calls."""
        return self._asterisk.endpoint.sip

    @property
    def database(self) -> str:
        """The URL of the database, with the password."""
        return self._postgres.url if self._postgres else str(self.wish.database)

    @property
    def mailbox(self) -> str | None:
        """The address of the page that shows the mails; None with another mail server."""
        return self._mailbox.health if self._mailbox else None

    @property
    def portal(self) -> str | None:
        """The address of the owners' portal; None with another database, or where nobody wants one."""
        return f"http://{LOOPBACK}:{self._ports[5]}" if self._portal else None

    @property
    def objects(self) -> str:
        """Where audio is stored: a directory, or the address of a bucket."""
        if self._bucket:
            return f"{self._bucket.store.endpoint}/{self._bucket.bucket}"
        return str((self.wish.state / "objects").absolute())

    @property
    def metrics(self) -> str:
        return f"{self._engine.health}/metrics"

    async def start(self) -> None:
        """Start all parts, independent ones at the same time. Raises one of TROUBLE."""
        await together(*map(self._start, self._below))
        self.write_settings()
        await together(self._start(self._engine), self._start(self._worker))
        if self._portal:
            await prepare_role(self.database, password_of(self.wish.state))
            await self._start(self._portal)
        self.write_endpoints()

    async def keep_running(self) -> None:
        """Restart every part that ends, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for part in self.parts:
                group.create_task(self._restart(part))

    async def stop(self) -> None:
        """End everything; endpoints.json is removed first, so that no command connects any more."""
        endpoints(self.wish.state).unlink(missing_ok=True)
        await end(self._above, STOP_SECONDS)
        await end(self._below, STOP_SECONDS + 1)

    def settings(self) -> dict[str, object]:
        """The settings of engine and worker, by the names of `callengine settings --example`."""
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
            **self._portal_settings(),
            **self._mail_settings(),
            **self._objects_settings(),
        }

    def _mail_settings(self) -> dict[str, object]:
        """The mail server: what it accepts has arrived. Our environment may set something else."""
        ours = f"{LOOPBACK}:{self._ports[3]}"
        host, _, port = (self.wish.smtp or ours).rpartition(":")
        settings: dict[str, object] = {
            "mail.sender": SENDER,
            "mail.smarthost": host,
            "mail.port": int(port),
            "mail.bounce_window_hours": 0,
        }
        if self._mailbox:
            settings["mail.authorities"] = str(authority(self.wish.state / "mailbox").absolute())
        return {key: value for key, value in settings.items() if variable(key) not in os.environ}

    def _portal_settings(self) -> dict[str, object]:
        if self.portal is None:
            return {}
        return {
            "portal.url": self.portal,
            "portal.port": self._ports[5],
            "portal.database": portal_database(self.database, password_of(self.wish.state)),
            "http.portal_port": self._ports[4],
        }

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
        """The settings as environment variables, with which no settings file of this machine is read."""
        variables = {variable(key): str(value) for key, value in self.settings().items()}
        return {**variables, "CALLENGINE_SETTINGS": str(settings_file(self.wish.state).absolute())}

    def full_environment(self) -> dict[str, str]:
        """Our environment with these settings, for commands that use the run."""
        return {**os.environ, **self.environment()}

    def write_settings(self) -> None:
        """Write STATE/callengine.toml, so that other commands can use the run."""
        lines = ["# Written by callengine dev for its engine and worker, and for commands that use them."]
        lines += [f"{key} = {json.dumps(value)}" for key, value in self.settings().items()]
        write_private(settings_file(self.wish.state), "\n".join(lines) + "\n")

    def write_endpoints(self) -> None:
        """Write STATE/endpoints.json: all addresses and process ids."""
        if self._bucket is None:
            (self.wish.state / "objects").mkdir(exist_ok=True)
        where = {
            "sip": self.sip,
            "database": self.database,
            "mailbox": self.mailbox,
            "portal": self.portal,
            "objects": self.objects,
            "metrics": self.metrics,
            "pids": {part.name: part.process.pid for part in self.parts if part.process is not None},
        }
        write_private(endpoints(self.wish.state), json.dumps(where, indent=2) + "\n")

    async def _start(self, part: Part) -> None:
        began = time.monotonic()
        await part.start()
        self._report(f"{part.name} is ready after {time.monotonic() - began:.1f} s")

    async def _restart(self, part: Part) -> None:
        pause = 0.1
        while part.process is not None:
            began = time.monotonic()
            code = await ended(part.process)
            self._report(f"{part.name} has ended ({code}) and is started again")
            pause = 0.1 if time.monotonic() - began > QUICK_DEATH else min(2 * pause, LONGEST_PAUSE)
            await asyncio.sleep(pause)
            try:
                await part.start()
            except TROUBLE as error:
                self._report(str(error))
            else:
                self.write_endpoints()


@asynccontextmanager
async def stack(wish: Wish, report: Callable[[str], None]) -> AsyncIterator[Stack]:
    """A ready run; it ends with the block. `report` gets a line for each part that is ready, or has ended.

    Raises StateTaken, or one of TROUBLE if a part does not start.
    """
    async with AsyncExitStack() as held:
        held.enter_context(state_of_ours(wish.state))
        ports = held.enter_context(reserve_ports(6))
        run = Stack(wish, ports, report)
        held.push_async_callback(run.stop)
        await run.start()
        yield run


@contextmanager
def state_of_ours(state: Path) -> Iterator[None]:
    """Lock the folder; the kernel releases the lock however we end. Raises StateTaken."""
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


def variable(setting: str) -> str:
    """The environment variable of a setting."""
    return f"CALLENGINE_{setting.upper().replace('.', '__')}"


def endpoints(state: Path) -> Path:
    return state / "endpoints.json"


def settings_file(state: Path) -> Path:
    return state / "callengine.toml"
