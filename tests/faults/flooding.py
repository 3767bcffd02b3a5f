"""Floods from outside, and processes that were started twice: the service goes on as if nothing happened."""

import asyncio
import signal
import socket
import struct
import sys
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress
from itertools import count
from urllib.parse import urlsplit

from devkit.children import spawn
from devkit.parts import Command, ended
from tests.faults.field import Field
from tests.live.sip import Agent, Call, media_of
from tests.live.torture.attack import Watch, attack, wait_read
from tests.live.torture.messages import mutations

SEEDS = count(4475)
MUTATED = "+31777777777"  # not near any number that a telephone calls: a mutation of it is another one
BATCH = 25
LISTED = 120  # channels that may be there while the next messages are sent: those of the telephones as well
HALF_OPEN, AT_ONCE = 400, 40  # calls; more than all lines
CONNECTIONS = 300  # to each port
CONNECT_SECONDS = 0.5
ENDS_SECONDS = 20.0
MENU = {"menu": {"prompt": "long", "answer": "true", "keys": {"0": [{"hangup": "busy"}]}}}


@asynccontextmanager
async def mutated(field: Field, count: int) -> AsyncIterator[None]:
    """So many SIP messages, each damaged in one to four places: others each time."""
    if not any(field.house.routing.rglob(f"*{MUTATED[1:]}.yaml")):
        await asyncio.to_thread(field.house.write, {MUTATED: {"route": [{"hangup": "busy"}]}})
    messages = mutations(next(SEEDS), count, target=field.house.endpoint.sip, number=MUTATED)
    with field.absence("network", "hostile"), Watch.over(field.house.endpoint, LISTED) as watch:
        await asyncio.to_thread(attack, watch, messages, BATCH)
        yield


@asynccontextmanager
async def half_open(field: Field) -> AsyncIterator[None]:
    """Calls to two numbers, more than there are lines, that nobody is behind: they end by their route."""
    numbers = await asyncio.to_thread(field.house.agree, [{"wait": 15}], [{"wait": 15}])
    sip = field.house.run.sip
    with field.absence("network", "flood"), Agent() as agent, Agent() as probe:
        for n in range(HALF_OPEN):
            caller = f"<sip:+3225{n:06d}@caller.example>"
            Call(agent, sip, numbers[n % 2], caller).invite()
            if n % AT_ONCE == 0:  # the socket of a busy Asterisk drops what it has no room for
                await asyncio.to_thread(wait_read, probe, sip)
        yield


@asynccontextmanager
async def keys(field: Field) -> AsyncIterator[None]:
    """A caller in a menu who presses a key every millisecond."""
    (number,) = await asyncio.to_thread(field.house.agree, [MENU, {"wait": 8}])
    with field.absence("network", "flood"), Agent() as agent:
        call = Call(agent, field.house.run.sip, number).invite()
        assert await asyncio.to_thread(call.final) == 200
        assert call.answer is not None
        pressing = asyncio.create_task(press(agent, ":".join(map(str, media_of(call.answer.text)))))
        yield
        pressing.cancel()
        await asyncio.wait({pressing})
        if not any(message.method == "BYE" for message in agent.heard):
            await asyncio.to_thread(call.hang_up)


async def press(agent: Agent, to: str) -> None:
    for n in count():
        # RTP with an RFC 4733 event: every packet is another key, and its end.
        event = struct.pack(
            "!BBHIIBBH", 0x80, 0x80 | 101, n & 0xFFFF, n * 160 & 0xFFFFFFFF, 1, n % 9, 0x8A, 800
        )
        agent.send(event, to)
        if n % 10 == 0:
            await asyncio.sleep(0.01)  # the fault itself: 1,000 keys a second


@asynccontextmanager
async def idle_connections(field: Field) -> AsyncIterator[None]:
    """Connections to every port of engine, worker and Asterisk that say nothing."""
    endpoint, house = field.house.endpoint, field.house
    ports = [endpoint.ari_port, int(endpoint.events_address.rpartition(":")[2])]
    ports += [urlsplit(part.health).port or 0 for part in (house.engine, house.worker)]
    with field.absence("network", "flood"), ExitStack() as held:
        all_ports = [port for port in ports for _ in range(CONNECTIONS)]
        await asyncio.gather(*(connect(port, held) for port in all_ports))
        yield


async def connect(port: int, held: ExitStack) -> None:
    """All at once: the telephones' exchange is in this loop."""
    connection = held.enter_context(socket.socket())
    connection.setblocking(False)
    with suppress(OSError, TimeoutError):  # it is refused, or nobody accepts it: that is allowed
        async with asyncio.timeout(CONNECT_SECONDS):
            await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", port))


@asynccontextmanager
async def twice(field: Field, name: str) -> AsyncIterator[None]:
    """A second engine or worker with the same settings, so of the same name: it has to end by itself."""
    part = field.part(name)
    assert isinstance(part, Command)
    command = [sys.executable, "-P", "-m", "cli", *part.words]
    second = spawn(command, part.log.with_suffix(".second"), env=part.environment(), farewell=signal.SIGKILL)
    try:
        async with asyncio.timeout(ENDS_SECONDS):
            status = await ended(second)
        assert status not in (0, -signal.SIGKILL), f"the second {name} ended with {status}"
        yield
    finally:
        second.kill()
