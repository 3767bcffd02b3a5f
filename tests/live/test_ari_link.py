"""The event link: on bare sockets what it lets in and how it ends; with Asterisk what comes through it."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import aiohttp
import pytest

from devkit.asterisk import Asterisk, Endpoint
from dialplan.result import Result
from engine.ari.client import Client
from engine.ari.dispatcher import Dispatcher
from engine.ari.errors import PortTaken
from engine.ari.events import UNUSED, Event, Other, StasisEnd, StasisStart
from engine.ari.link import NOTHING, STRANGERS, EventLink, marker, silence
from engine.ari.operations import Reported
from engine.causes import HANG_UPS, UNKNOWN_NUMBER, Cause, HangUp
from process.connections import Limits
from tests.live.ari import left_in
from tests.live.sip import Agent, Call, eventually

MARKER = '{"type":"ChannelUserevent","timestamp":"2026-11-24T10:00:00.000+0000","eventname":"marker-1"}'


@dataclass
class Ear:
    """Takes down what a link tells, and waits for it to be told."""

    said: list[Event | str] = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def link(self, port: int = 0, strangers: Limits = STRANGERS) -> EventLink:
        return EventLink(
            "127.0.0.1",
            port,
            "asterisk",
            "secret",
            on_connect=lambda: self.take("connected"),
            on_event=self.take,
            on_disconnect=lambda: self.take("disconnected"),
            strangers=strangers,
        )

    def take(self, what: Event | str) -> None:
        self.said.append(what)
        self._changed.set()

    async def hear(self, *expected: str) -> None:
        """Wait until exactly this has been said, events by their type."""
        async with asyncio.timeout(5):
            while self.words != list(expected):
                self._changed.clear()
                await self._changed.wait()

    @property
    def words(self) -> list[str]:
        return [what if isinstance(what, str) else type(what).__name__ for what in self.said]


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(
        headers={"Authorization": aiohttp.encode_basic_auth("asterisk", "secret")}
    ) as made:
        yield made


def url(link: EventLink) -> str:
    return f"ws://127.0.0.1:{link.port}/ari"


async def test_an_event_is_told_between_connect_and_disconnect(session: aiohttp.ClientSession) -> None:
    ear = Ear()
    async with ear.link() as link:
        async with session.ws_connect(url(link), protocols=["ari"]) as socket:
            assert socket.protocol == "ari"
            await socket.send_str(MARKER)
            await ear.hear("connected", "ChannelUserevent")
            assert link.connected
        await ear.hear("connected", "ChannelUserevent", "disconnected")
        assert not link.connected


@pytest.mark.parametrize("login", [("asterisk", "wrong"), ("other", "secret"), ("asterisk", ""), None])
async def test_a_stranger_is_not_let_in(login: tuple[str, str] | None) -> None:
    ear = Ear()
    headers = {"Authorization": aiohttp.encode_basic_auth(*login)} if login else {}
    async with ear.link() as link, aiohttp.ClientSession(headers=headers) as stranger:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await stranger.ws_connect(url(link))
    assert refused.value.status == 401
    assert ear.said == []


@pytest.mark.parametrize("nonsense", ["", "{", "[]", "{}", '{"type":"StasisEnd"}', "null", '{"type":[]}'])
async def test_what_cannot_be_understood_is_counted_and_the_next_event_comes(
    session: aiohttp.ClientSession, nonsense: str
) -> None:
    ear = Ear()
    async with ear.link() as link, session.ws_connect(url(link)) as socket:
        await socket.send_str(nonsense)
        await socket.send_bytes(b"\xff")
        await socket.send_str(MARKER)
        await ear.hear("connected", "ChannelUserevent")
        assert link.misread == 1


async def test_what_cannot_be_understood_is_not_written_down(
    session: aiohttp.ClientSession, capsys: pytest.CaptureFixture[str]
) -> None:
    ear = Ear()
    async with ear.link() as link, session.ws_connect(url(link)) as socket:
        await socket.send_str('{"type":"StasisStart","caller":"+32470998877"}')
        await socket.send_str(MARKER)
        await ear.hear("connected", "ChannelUserevent")
    said = capsys.readouterr()
    assert "32470998877" not in said.out + said.err


async def test_a_newer_connection_replaces_the_older(session: aiohttp.ClientSession) -> None:
    ear = Ear()
    async with ear.link() as link, session.ws_connect(url(link)) as older:
        await ear.hear("connected")
        async with session.ws_connect(url(link)) as newer:
            await ear.hear("connected", "disconnected", "connected")
            assert (await older.receive(timeout=5)).type in (
                aiohttp.WSMsgType.CLOSED,
                aiohttp.WSMsgType.ERROR,
            )
            await newer.send_str(MARKER)
            await ear.hear("connected", "disconnected", "connected", "ChannelUserevent")
        await ear.hear("connected", "disconnected", "connected", "ChannelUserevent", "disconnected")


async def test_a_connection_torn_off_is_a_disconnect(session: aiohttp.ClientSession) -> None:
    ear = Ear()
    async with ear.link() as link:
        await session.ws_connect(url(link))
        await ear.hear("connected")
        await session.close()  # without a closing frame
        await ear.hear("connected", "disconnected")


async def test_closing_the_link_says_so_to_asterisk_and_to_us(session: aiohttp.ClientSession) -> None:
    ear = Ear()
    async with ear.link() as link:
        socket = await session.ws_connect(url(link))
        await ear.hear("connected")
        goodbye = asyncio.create_task(socket.receive(timeout=5))
    assert (await goodbye).type is aiohttp.WSMsgType.CLOSE
    assert ear.words == ["connected", "disconnected"]


async def test_a_second_engine_is_told_that_the_port_is_taken() -> None:
    async with Ear().link() as link:
        with pytest.raises(PortTaken, match=f"127.0.0.1:{link.port} is in use"):
            await Ear().link(link.port).__aenter__()


# From here on with Asterisk.


@dataclass
class CallServices:
    """An engine reduced to its edge: commands, events, and the calls that came in."""

    client: Client
    dispatcher: Dispatcher
    events: list[Event]
    calls: "asyncio.Queue[StasisStart]"
    app: str

    async def settle(self) -> None:
        """Wait until all that Asterisk has said so far is here."""
        await marker(self.client, self.dispatcher, self.app, 5)


@asynccontextmanager
async def desk_at(endpoint: Endpoint) -> AsyncIterator[CallServices]:
    calls: asyncio.Queue[StasisStart] = asyncio.Queue()
    dispatcher = Dispatcher(calls.put_nowait)
    events: list[Event] = []
    connected = asyncio.Event()

    def take(event: Event) -> None:
        events.append(event)
        dispatcher.dispatch(event)

    host, _, port = endpoint.events_address.rpartition(":")
    async with (
        Client(endpoint.ari_url, endpoint.ari_user, endpoint.ari_password) as client,
        EventLink(
            host,
            int(port),
            endpoint.events_user,
            endpoint.events_password,
            on_connect=connected.set,
            on_event=take,
            on_disconnect=connected.clear,
            closing=lambda: silence(client, endpoint.app),
        ),
        asyncio.timeout(30),
    ):
        await connected.wait()
        await client.asterisk.set_global_var("ENGINE_ALIVE", str(int(time.time())))
        yield CallServices(client, dispatcher, events, calls, endpoint.app)


@pytest.fixture
async def services(asterisk: Asterisk, empty: None) -> AsyncIterator[CallServices]:
    async with desk_at(asterisk.endpoint) as made:
        yield made


@pytest.fixture
def caller() -> Iterator[Agent]:
    with Agent() as agent:
        yield agent


@pytest.fixture
def call(asterisk: Asterisk, caller: Agent) -> Call:
    return Call(caller, asterisk.endpoint.sip, "+3270012345")


async def test_a_marker_comes_back_with_asterisks_clock(services: CallServices) -> None:
    at = await marker(services.client, services.dispatcher, services.app, 5)
    assert abs((at - await services.client.asterisk.ping()).total_seconds()) < 1


async def test_a_call_comes_in_and_is_refused_in_the_words_of_its_result(
    services: CallServices, call: Call
) -> None:
    call.invite()
    start = await services.calls.get()
    assert start.args == ("in", "+3270012345")
    assert start.channel.caller_number == "+32470998877"
    await services.client.channels.hangup(start.channel.id, reason_code=HANG_UPS[Result.BUSY].cause)
    assert await asyncio.to_thread(call.final) == 486


@pytest.mark.parametrize(
    "hang_up",
    [
        HANG_UPS[Result.CLOSED],
        HANG_UPS[Result.NO_ANSWER],
        HANG_UPS[Result.UNREACHABLE],
        HANG_UPS[Result.REJECTED],
        HANG_UPS[Result.FAILED],
        UNKNOWN_NUMBER,
    ],
)
async def test_an_unanswered_caller_hears_what_the_call_came_to(
    services: CallServices, call: Call, hang_up: HangUp
) -> None:
    call.invite()
    start = await services.calls.get()
    await services.client.channels.hangup(start.channel.id, reason_code=hang_up.cause)
    assert await asyncio.to_thread(call.final) == hang_up.sip


async def test_a_reported_variable_stands_in_every_later_event(services: CallServices, call: Call) -> None:
    call.invite()
    channel_id = (await services.calls.get()).channel.id
    await services.client.channels.set_channel_vars(
        channel_id, {"CALL_UUID": Reported("a-call"), "ENGINE_STATE": "unseen"}
    )
    await services.client.channels.hangup(channel_id, reason_code=Cause.BUSY)
    await asyncio.to_thread(call.final)
    await services.settle()
    (end,) = (event for event in services.events if isinstance(event, StasisEnd))
    assert end.channel.variables["CALL_UUID"] == "a-call"
    assert "ENGINE_STATE" not in end.channel.variables


async def test_events_of_no_use_stay_away_once_filtered(
    services: CallServices, asterisk: Asterisk, caller: Agent
) -> None:
    async def heard(disallowed: Sequence[str]) -> set[str]:
        """What is said of a caller who gives up."""
        await services.client.applications.filter(services.app, disallowed)
        call = Call(caller, asterisk.endpoint.sip, "+3270012345").invite()
        await services.calls.get()
        services.events.clear()
        await asyncio.to_thread(call.cancel)
        await services.settle()
        return {event.type if isinstance(event, Other) else type(event).__name__ for event in services.events}

    assert await heard([]) >= {"StasisEnd", "ChannelHangupRequest"}
    assert await heard(UNUSED) == {"StasisEnd", "ChannelUserevent"}


async def test_a_link_that_closes_and_opens_again_is_found_by_asterisk_every_time(asterisk: Asterisk) -> None:
    for _ in range(5):
        async with asyncio.timeout(3), desk_at(asterisk.endpoint) as services:
            await services.settle()


async def test_nothing_is_written_during_a_silence_and_all_is_heard_after_it(
    services: CallServices, call: Call
) -> None:
    async with silence(services.client, services.app):
        heard = len(services.events)
        with pytest.raises(TimeoutError):
            await marker(services.client, services.dispatcher, services.app, 0.2)
        assert len(services.events) == heard
    await services.settle()


async def test_an_engine_that_died_in_silence_makes_its_successor_not_deaf(services: CallServices) -> None:
    await services.client.applications.filter(services.app, UNUSED, NOTHING)
    await services.client.applications.filter(services.app, UNUSED)
    await services.settle()


async def test_a_link_closes_without_asterisk_too() -> None:
    async with Client("http://127.0.0.1:1/ari", "engine", "unused") as client:
        async with silence(client, "engine"):
            closed = True
        assert closed


# An engine that only says aloud what it hears, to be killed.
ENGINE = """
import asyncio, os, sys
from engine.ari.link import EventLink
async def main():
    said = lambda word: print(word, flush=True)
    host, port, user = sys.argv[1:]
    async with EventLink(
        host, int(port), user, os.environ["PASSWORD"], on_connect=lambda: said("connected"),
        on_event=lambda event: said(type(event).__name__), on_disconnect=lambda: said("disconnected"),
    ):
        await asyncio.sleep(60)
asyncio.run(main())
"""


@asynccontextmanager
async def doomed_engine(endpoint: Endpoint) -> AsyncIterator[asyncio.subprocess.Process]:
    """An engine in a process of its own, connected; killed by SIGKILL in the end."""
    host, _, port = endpoint.events_address.rpartition(":")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        ENGINE,
        host,
        port,
        endpoint.events_user,
        env={**os.environ, "PASSWORD": endpoint.events_password},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        await says(process, "connected")
        yield process
    finally:
        process.kill()
        await process.wait()


async def says(process: asyncio.subprocess.Process, word: str) -> None:
    assert process.stdout is not None
    async with asyncio.timeout(10):
        while line := await process.stdout.readline():
            if line.decode().strip() == word:
                return
    raise AssertionError(f"the engine ended without saying {word}")


async def test_what_happens_after_a_crash_is_told_to_the_successor_in_order(
    asterisk: Asterisk, empty: None, caller: Agent, call: Call
) -> None:
    endpoint = asterisk.endpoint
    async with Client(endpoint.ari_url, endpoint.ari_user, endpoint.ari_password) as client:
        await client.asterisk.set_global_var("ENGINE_ALIVE", str(int(time.time())))
    async with doomed_engine(endpoint) as engine:
        call.invite()
        await says(engine, "StasisStart")
    await asyncio.to_thread(call.cancel)
    assert await asyncio.to_thread(eventually, lambda: left_in(endpoint) == [])
    back = datetime.now(UTC)
    newcomer = Call(caller, endpoint.sip, "+3270012345").invite()
    async with desk_at(endpoint) as services:
        start = await services.calls.get()
        await services.settle()
        end, came = (event for event in services.events if isinstance(event, StasisEnd | StasisStart))
        assert isinstance(end, StasisEnd)
        assert end.at < back
        assert came is start
        await services.client.channels.hangup(start.channel.id, reason_code=Cause.BUSY)
        assert await asyncio.to_thread(newcomer.final) == 486
