"""The whole service as real processes (Asterisk, PostgreSQL, engine, worker), and telephones at both ends."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import asyncpg

from devkit.asterisk import Endpoint
from devkit.carrier import Behaviour, Carrier, carrier
from devkit.handset import Handset
from devkit.parts import Asterisk, Command, Part, Postgres
from devkit.phones import LOOPBACK, Identity, Phones, phones, shown
from devkit.ports import reserve_ports
from devkit.stack import Stack, Wish, stack
from storage.calls import find
from storage.records import CallRecord
from tests.lateness import PATIENCE
from tests.live.agreed import (
    Route,
    new_caller,
    new_destination,
    new_number,
    write_numbers,
    write_owner,
    write_ready,
)
from tests.live.ari import hang_up_all, left_in
from tests.live.followed import FollowedJournal, FollowedLog, Json
from tests.live.sip import eventually

CALLER_HZ, DESTINATION_HZ = 1000, 600
LOUD = {"error", "critical"}
_groups = count(1)


@dataclass
class House:
    """A running service, for all tests of this process."""

    run: Stack
    routing: Path
    carrier_port: int
    ready: list[tuple[str, str]]  # numbers that nobody has called yet, and the destination that each rings
    ready_recorded: list[tuple[str, str]]  # the same of numbers that are recorded

    def __post_init__(self) -> None:
        self.journal = FollowedJournal(self.state / "journal")
        self._logs: dict[str, FollowedLog] = {}

    @property
    def asterisk(self) -> Asterisk:
        return self._part(Asterisk)

    @property
    def postgres(self) -> Postgres:
        return self._part(Postgres)

    @property
    def engine(self) -> Command:
        return self._command("engine")

    @property
    def worker(self) -> Command:
        return self._command("worker")

    @property
    def endpoint(self) -> Endpoint:
        """Where Asterisk is reached."""
        return self.asterisk.endpoint

    @property
    def state(self) -> Path:
        return self.run.wish.state

    def agree(self, *routes: Route, **settings: Any) -> list[str]:
        """Write a file for each route, `settings` in each; the new numbers, once they are in force."""
        numbers = [new_number() for _ in routes]
        self.write(
            {number: {"route": route, **settings} for number, route in zip(numbers, routes, strict=True)}
        )
        return numbers

    def ringing(self) -> tuple[str, str]:
        """A number that nobody has called yet, and the destination that it rings."""
        if self.ready:
            return self.ready.pop()
        (number,) = self.agree([{"ring": (to := new_destination())}])
        return number, to

    def write(self, files: Mapping[str, Mapping[str, Any]]) -> None:
        """Add these service numbers to the routing folder at once, and wait until the engine has them."""
        group = f"g{next(_groups)}"
        draft = self.routing.with_name(group)
        write_numbers(draft, files)
        before = self.told("routing_in_force")
        draft.rename(self.routing / "numbers" / group)
        assert eventually(lambda: self.told("routing_in_force") > before), self.log()[-3:]

    def log(self, part: str = "engine") -> list[dict[str, Any]]:
        """What the engine (or the worker) has logged, every line."""
        return list(self._log(part).read_on())

    def told(self, event: str) -> int:
        """How often the engine has logged that event."""
        return self._log("engine").count(event)

    def _log(self, part: str) -> FollowedLog:
        return self._logs.setdefault(part, FollowedLog(self.state / "log" / f"{part}.log"))

    def metric(self, name: str) -> float:
        """A number of the engine, as `calls_live` or `calls_total{outcome="busy"}`."""
        with urlopen(self.run.metrics, timeout=5) as reply:  # noqa: S310 - our own http address
            lines = reply.read().decode().splitlines()
        return float(
            next(line for line in lines if line.startswith(f"callengine_{name} ")).rpartition(" ")[2]
        )

    def _part[P: Part](self, kind: type[P]) -> P:
        return next(part for part in self.run.parts if isinstance(part, kind))

    def _command(self, name: str) -> Command:
        return next(part for part in self.run.parts if isinstance(part, Command) and part.name == name)


@dataclass
class Watched:
    """The service, for one test that looks at what it leaves behind."""

    house: House
    began_at: int  # the line of the engine's log
    forgiven: set[str] = field(default_factory=set, kw_only=True)  # errors in it that the test is about

    async def record(self, number: str, seconds: float = PATIENCE) -> CallRecord:
        """The record of the one call to `number`, once it is in PostgreSQL."""
        (record,) = await self.records(number, 1, seconds)
        return record

    async def records(
        self, number: str | None, least: int, seconds: float = PATIENCE, *, since: datetime | None = None
    ) -> list[CallRecord]:
        """The records of all calls to `number` (None: to any), once there are at least so many."""
        deadline = time.monotonic() + seconds
        con = await asyncpg.connect(self.house.run.database)
        try:
            while len(found := [record async for record in find(con, number, since)]) < least:
                assert time.monotonic() < deadline, f"{len(found)} records after {seconds} s, not {least}"
                await asyncio.sleep(0.05)
        finally:
            await con.close()
        return found

    def journal(self, number: str) -> list[Json]:
        """What the journal says of the calls to `number`, in the order of writing."""
        return self.house.journal.of_number(number)

    def errors(self) -> list[dict[str, Any]]:
        """What the engine has logged as an error since this test began, and the test is not about."""
        lines = self.house.log()[self.began_at :]
        return [it for it in lines if it["level"] in LOUD and it["event"] not in self.forgiven]

    def is_empty(self) -> bool:
        """Whether no call is left anywhere, neither in Asterisk nor in the engine."""
        return not left_in(self.house.endpoint) and self.house.metric("calls_live") == 0


@dataclass
class Service(Watched):
    """The service with telephones at both ends of it, for one test."""

    telephones: Phones
    network: Carrier

    async def call(
        self, number: str, who: Identity | None = None, *, says: Sequence[float] = (CALLER_HZ,)
    ) -> Handset:
        """Somebody dials `number`; the call is on its way when this returns."""
        who = who or shown(new_caller())
        return await self.telephones.dial(number, self.house.run.sip, who, says=says)

    def destination(self, behaviour: Behaviour) -> str:
        """A new destination that does this."""
        number = new_destination()
        self.network.behave(number, behaviour)
        return number

    def ringing(self, behaviour: Behaviour) -> tuple[str, str]:
        """A number that nobody has called yet, and the destination that it rings, which does this."""
        number, to = self.house.ringing()
        self.network.behave(to, behaviour)
        return number, to

    async def cancelled(self, to: str) -> datetime:
        """Wait until the telephone of that destination is told to stop ringing."""
        arrival = await self.network.arrival(to)
        await until(lambda: arrival.cancelled)
        assert arrival.cancelled is not None
        return arrival.cancelled


async def until(happened: Callable[[], object], seconds: float = PATIENCE, *, every: float = 0.01) -> None:
    """Wait until that is so; look so often. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not happened():  # noqa: ASYNC110 - what is waited for has no event of its own
            await asyncio.sleep(every)


@contextmanager
def open_house(
    folder: Path, trunk: Callable[[int], str] | None = None, values: Mapping[str, str] | None = None
) -> Iterator[House]:
    """A running service that keeps everything below `folder`.

    `trunk`: gets the port of the telephones' carrier before anything starts, and returns where the first
    trunk leads instead. `values`: of blanks in Asterisk's configuration.
    """
    routing = folder / "routing"
    write_owner(routing)
    ready, recorded = write_ready(routing)
    with ExitStack() as held:
        port = held.enter_context(reserve_ports(1))[0]
        loop = held.enter_context(asyncio.Runner())
        carrier = trunk(port) if trunk else f"{LOOPBACK}:{port}"
        wish = Wish(routing, folder / "state", carrier, values=values or {})
        running = stack(wish, lambda _line: None)
        run = loop.run(entered(running))
        held.callback(lambda: loop.run(left(running)))
        yield House(run, routing, port, ready, recorded)


async def entered[T](context: AbstractAsyncContextManager[T]) -> T:
    return await context.__aenter__()


async def left(context: AbstractAsyncContextManager[object]) -> None:
    await context.__aexit__(None, None, None)


@asynccontextmanager
async def watching(house: House) -> AsyncIterator[Watched]:
    """The service for one test; afterwards no call is left, and the engine has logged no error."""
    watched = Watched(house, len(house.log()))
    yield watched
    await leaves_nothing(watched)


@asynccontextmanager
async def at_your_service(house: House) -> AsyncIterator[Service]:
    """The same with telephones."""
    async with phones() as telephones, carrier(telephones, port=house.carrier_port) as network:
        service = Service(house, len(house.log()), telephones, network)
        yield service
    await leaves_nothing(service)


async def leaves_nothing(service: Watched) -> None:
    try:
        await until(service.is_empty, every=0.05)  # three requests by HTTP
    except TimeoutError:
        hang_up_all(service.house.endpoint)
        raise
    assert service.errors() == [], service.errors()
