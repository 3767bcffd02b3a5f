"""The whole service, with every part and every way between them at hand to be broken.

Asterisk, engine and worker are those of `callengine dev`. Database and object store are reached through
proxies, mail goes to a server that does as it is told, and journal and CEL lie on a small disk of their own,
where one may be mounted.
"""

import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from devkit.parts import Bucket, Part, Postgres, end
from devkit.phones import LOOPBACK
from devkit.ports import reserve_ports
from devkit.stack import Wish, stack
from tests.faults.damage import Damage
from tests.faults.observed import Absence
from tests.faults.proxy import Proxy, proxy
from tests.live.agreed import write_owner
from tests.live.crashes import Crashes, watched
from tests.live.service import House
from tests.live.small_disk import SIZE, may_mount, small_disk
from tests.store.smtp import MailServer, Ways, mail_server

SEGMENT = 4 << 20
END_SECONDS = 5.0
PARTS = ("postgres", "objects", "asterisk", "engine", "worker")


@dataclass
class Field:
    """A running service. `disk`: where its small disk is mounted, if it has one.

    `absences`: what was broken, from when until when.
    """

    folder: Path
    house: House
    postgres: Postgres
    bucket: Bucket
    to_database: Proxy
    to_store: Proxy
    to_mail: Proxy
    mail: MailServer
    disk: Path | None
    crashes: Crashes
    absences: list[Absence] = field(default_factory=list)
    damage: Damage = field(default_factory=Damage)

    @contextmanager
    def absence(self, part: str, how: str) -> Iterator[None]:
        """That part is broken while the block runs."""
        since = time.time()
        try:
            yield
        finally:
            self.absences.append(Absence(part, how, since, time.time()))

    def part(self, name: str) -> Part:
        """One of PARTS."""
        parts: dict[str, Part] = {
            "engine": self.house.engine,
            "worker": self.house.worker,
            "asterisk": self.house.asterisk,
            "postgres": self.postgres,
            "objects": self.bucket,
        }
        return parts[name]

    async def mend(self) -> None:
        """Make everything whole that a fault left broken, because a run broke off in the middle of it."""
        for way in (self.to_database, self.to_store, self.to_mail):
            way.heal()
        self.mail.ways = Ways()
        for name in PARTS:
            part = self.part(name)
            if part.process is None or part.process.poll() is not None:
                await part.start()
            else:
                part.process.send_signal(signal.SIGCONT)

    @property
    def database(self) -> str:
        """The URL of the database itself, past the proxy."""
        return self.postgres.url


@asynccontextmanager
async def open_field(folder: Path, disk_size: str = SIZE) -> AsyncIterator[Field]:
    """A service that keeps everything below `folder`; it ends with the block. `disk_size`: as of tmpfs."""
    routing, state, apart = folder / "routing", folder / "state", folder / "apart"
    write_owner(routing)
    async with AsyncExitStack() as held:
        (port,) = held.enter_context(reserve_ports(1))
        postgres, bucket = Postgres(apart), Bucket(apart)
        held.push_async_callback(end, [postgres, bucket], END_SECONDS)
        await postgres.start()
        await bucket.start()
        assert postgres.running is not None
        to_database = await held.enter_async_context(proxy(postgres.running.port))
        to_store = await held.enter_async_context(proxy(bucket.store.ports[3]))
        mail = await held.enter_async_context(mail_server())
        to_mail = await held.enter_async_context(proxy(mail.port))
        environment = held.enter_context(pytest.MonkeyPatch.context())
        for name, value in settings(bucket, to_store).items():
            environment.setenv(name, value)
        disk = folder / "disk" if may_mount() else None
        if disk is not None:
            parts = [state / "journal", state / "asterisk" / "log" / "cel-custom"]
            held.enter_context(small_disk(disk, parts, disk_size))
        database = postgres.url.replace(f":{postgres.running.port}/", f":{to_database.port}/")
        crashes = held.enter_context(watched())
        carrier, smtp = f"{LOOPBACK}:{port}", f"{LOOPBACK}:{to_mail.port}"
        wish = Wish(routing, state, carrier, database=database, smtp=smtp)
        run = await held.enter_async_context(stack(wish, lambda _line: None))
        house = House(run, routing, port, [], [])
        yield Field(folder, house, postgres, bucket, to_database, to_store, to_mail, mail, disk, crashes)


def settings(bucket: Bucket, to_store: Proxy) -> dict[str, str]:
    """What engine and worker are told beyond what `callengine dev` tells them."""
    return {
        "CALLENGINE_JOURNAL__SEGMENT_BYTES": str(SEGMENT),
        "CALLENGINE_OBJECTS__BUCKET": bucket.bucket,
        "CALLENGINE_OBJECTS__ENDPOINT": f"http://{LOOPBACK}:{to_store.port}",
        "CALLENGINE_OBJECTS__ACCESS_KEY": bucket.store.access_key,
        "CALLENGINE_OBJECTS__SECRET_KEY": bucket.store.secret_key,
    }
