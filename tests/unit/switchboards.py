"""A switchboard with a fake Asterisk, and a call as CEL tells it, for tests."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from dialplan.number import Owner
from engine.ari.client import Client
from engine.ari.errors import Gone
from engine.ari.events import ChannelUserevent, StasisEnd, StasisStart
from engine.ari.left import Left
from engine.ari.setting import Cel, Trunk
from engine.ari.state import AppInfo, AsteriskInfo, ChannelInfo
from engine.ari.switchboard import Switchboard
from engine.call_terms import CallTerms
from engine.handle import handle
from journal.cel import CelEvent
from journal.entries import CallStarted, Entry, HandedOver, Heartbeat, LegStarted
from journal.ids import call_id_of, leg_id_of
from process.clock import Clock
from tests.unit.fake_services import FakeCallServices
from tests.unit.routes import service_number

AT = datetime(2026, 11, 24, 10, tzinfo=UTC)
NODE, NUMBER, OFFICE, CALLER = "test1", "+3270012345", "+3221112233", "+3225551234"
CHANNEL, LEG = "dev-1795776979.0", "dev-1795776979.1"
C, D = "PJSIP/trunk-00000000", "PJSIP/trunk-00000001"
CALL = call_id_of(CHANNEL, NODE)


def at(seconds: float) -> datetime:
    return AT + timedelta(seconds=seconds)


def cel(kind: str, channel: str = CHANNEL, seconds: float = 0, /, **extra: Any) -> CelEvent:
    name = C if channel == CHANNEL else D
    return CelEvent(kind, at(seconds), channel, CHANNEL, name, "connect", "s", extra)


TALK = [
    cel("CHAN_START", LEG, 0.1),
    cel("ANSWER", LEG, 5),
    cel("ANSWER", CHANNEL, 5.01),
    cel("BRIDGE_ENTER", LEG, 5.02),
]
GOODBYE = [
    cel("HANGUP", CHANNEL, 9, hangupcause=16, hangupsource=D),
    cel("HANGUP", LEG, 9.001, hangupcause=16, hangupsource=D),
    cel("LINKEDID_END", LEG, 9.002),
]


class Asterisk:
    """One that has these channels in our application, and those that have `left` it."""

    def __init__(self, *there: str, left: Sequence[str] = (), started: datetime = AT) -> None:
        self.there, self.left, self.started = there, left, started
        self.commands: list[str] = []
        self.globals: list[tuple[str, str]] = []
        self.board: Switchboard
        self.applications = self.channels = self.events = self.asterisk = self.playbacks = self

    async def wait_until_ready(self, seconds: float) -> AsteriskInfo:
        return AsteriskInfo("22.10.1", self.started)

    async def filter(self, app: str, disallowed: Sequence[str], allowed: Sequence[str] = ()) -> None: ...

    async def get(self, what: str) -> AppInfo | ChannelInfo:
        if what == "engine":
            return AppInfo(self.there)
        if what not in (*self.there, *self.left):
            raise Gone(404, "no such channel")
        application = "Stasis" if what in self.there else "Dial"
        return replace(channel(), id=what, application=application, created=self.started)

    async def user_event(self, name: str, application: str) -> None:
        self.board.on_event(ChannelUserevent(at(100), name))

    async def set_global_var(self, variable: str, value: str) -> None:
        self.globals.append((variable, value))

    async def set_channel_vars(self, channel_id: str, variables: Mapping[str, Any]) -> None:
        self.commands.append("set_channel_vars")

    async def continue_in_dialplan(self, channel_id: str, **where: Any) -> None:
        self.commands.append("continue_in_dialplan")
        self.board.on_event(StasisEnd(at(0), channel()))

    async def hangup(self, channel_id: str, *, reason_code: int | None = None) -> None:
        self.commands.append(f"hangup {channel_id}")

    async def get_channel_var(self, channel_id: str, variable: str) -> str:
        raise Gone(404, "none")


class Setting:
    async def inspect(self) -> list[str]:
        return []

    async def renew(self) -> None: ...


def channel() -> ChannelInfo:
    return ChannelInfo(CHANNEL, "Ring", AT, CALLER, NUMBER, "Stasis", {})


def services_of(*journal: Entry) -> FakeCallServices:
    number = service_number([{"ring": OFFICE}])
    return FakeCallServices(CallTerms(number, Owner(name="ACME"), lambda _: None), entries=list(journal))


@asynccontextmanager
async def serving(
    folder: Path,
    asterisk: Asterisk,
    services: FakeCallServices,
    setting: Setting | None = None,
    *,
    ended: Mapping[str, datetime] | None = None,
    clock: Clock | None = None,
    others: Mapping[str, Sequence[Entry]] | None = None,
    cel_lines: Sequence[CelEvent] = (),
    reads: bool = False,
    last_known: datetime = AT,
) -> AsyncIterator[Switchboard]:
    """A switchboard that is connected and has settled.

    `services.entries` and `others` are what an earlier engine left, `last_known` the last instant in its
    journal; `cel_lines` what CEL has of its absence.
    `reads`: Master.csv of the folder instead, from its beginning.
    """
    file = Cel(folder / "Master.csv", folder / "kept", first=not reads)
    left = {**(others or {}), **({CALL: tuple(services.entries)} if services.entries else {})}
    client = cast(Client, asterisk)
    board = Switchboard(
        client,
        services,
        handle,
        setting or Setting(),
        Trunk("engine", "PJSIP/{number}@trunk"),
        cel=file,
        left=Left(left, ended or {}, last_known, folder / "asterisk.json"),
        clock=clock,
    )
    asterisk.board = board
    async with connected(board, board.cel.run() if reads else board.take(cel_lines), awaited=not reads):
        yield board


@asynccontextmanager
async def connected(
    board: Switchboard, reader: Coroutine[Any, Any, None], *, awaited: bool
) -> AsyncIterator[None]:
    """Asterisk is connected during the block; `awaited`: what the reader reads has been taken before it."""
    reading = asyncio.create_task(reader)
    board.on_connect()
    await ready(board)
    if awaited:
        await reading
    yield
    board.on_disconnect()
    await board.detach()
    reading.cancel()
    await asyncio.wait({reading})


async def ready(board: Switchboard) -> None:
    async with asyncio.timeout(60):
        while not board.ready:  # noqa: ASYNC110 - of no event
            await asyncio.sleep(0.1)


def kinds(services: FakeCallServices) -> list[type[Entry]]:
    return [type(entry) for entry in services.entries if not isinstance(entry, Heartbeat)]


def of_call(services: FakeCallServices, call: str) -> list[Entry]:
    return [entry for entry in services.entries if entry.call == call]


async def comes_in(board: Switchboard, seconds: float = 0) -> None:
    board.on_event(StasisStart(at(seconds), channel(), ("in", NUMBER)))
    await asyncio.sleep(0.1)  # of a jumping clock


LEFT: list[Entry] = [
    CallStarted(CALL, AT, NUMBER, "acme", False, NODE, CHANNEL),
    HandedOver(CALL, at(0.05), (OFFICE,), 25),
    LegStarted(CALL, at(0.1), leg_id_of(CALL, LEG), OFFICE),
]
