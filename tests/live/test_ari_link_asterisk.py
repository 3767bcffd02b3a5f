"""The event link with Asterisk at its other end: what comes through it, and after a crash."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from devkit.asterisk import Asterisk, Endpoint
from dialplan.result import Result
from engine.ari.events import UNUSED, Other, StasisEnd, StasisStart
from engine.ari.link import NOTHING, marker, silence
from engine.ari.operations import Reported
from engine.causes import HANG_UPS, UNKNOWN_NUMBER, Cause, HangUp
from tests.lateness import PATIENCE
from tests.live.ari import ask, left_in
from tests.live.ears import CallServices, services_at
from tests.live.sip import Agent, Call, eventually


@pytest.fixture
async def services(asterisk: Asterisk, empty: None) -> AsyncIterator[CallServices]:
    async with services_at(asterisk.endpoint) as made:
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
        async with asyncio.timeout(3), services_at(asterisk.endpoint) as services:
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
    async with asyncio.timeout(PATIENCE):
        while line := await process.stdout.readline():
            if line.decode().strip() == word:
                return
    raise AssertionError(f"the engine ended without saying {word}")


async def test_what_happens_after_a_crash_is_told_to_the_successor_in_order(
    asterisk: Asterisk, empty: None, caller: Agent, call: Call
) -> None:
    endpoint = asterisk.endpoint
    async with doomed_engine(endpoint) as engine:
        # Ahead of time, as an engine leaves it that is about to be replaced: callers wait for the next one.
        alive = int(time.time() + PATIENCE)
        await asyncio.to_thread(
            ask, endpoint, f"/asterisk/variable?variable=ENGINE_ALIVE&value={alive}", "POST"
        )
        call.invite()
        await says(engine, "StasisStart")
    await asyncio.to_thread(call.cancel)
    assert await asyncio.to_thread(eventually, lambda: left_in(endpoint) == [])
    back = datetime.now(UTC)
    newcomer = Call(caller, endpoint.sip, "+3270012345").invite()
    async with services_at(endpoint) as services:
        start = await services.calls.get()
        await services.settle()
        end, came = (event for event in services.events if isinstance(event, StasisEnd | StasisStart))
        assert isinstance(end, StasisEnd)
        assert end.at < back
        assert came is start
        await services.client.channels.hangup(start.channel.id, reason_code=Cause.BUSY)
        assert await asyncio.to_thread(newcomer.final) == 486
