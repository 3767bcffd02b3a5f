"""Calls controlled over ARI with nothing around it, as systems to measure: what of a call's price is whose.

`bare`: the least that can control a call, six commands. Both legs are in one bridge before the destination is
dialled, so that Asterisk passes ringing and answer on by itself. `promising`: the twelve commands by which
the engine keeps its promises (leases, a bridge that shows no number, nobody answered before the destination).
Neither has a journal, a record, metrics or a log: nobody should serve callers so (docs/decisions/010).
"""

import asyncio
import itertools
import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from socket import SOCK_DGRAM
from typing import Any

import uvloop

from bench.sipp import DESTINATION, LOOPBACK, Ends
from bench.systems import System, warm
from engine.ari.client import Client
from engine.ari.dispatcher import Dispatcher
from engine.ari.errors import AriError
from engine.ari.events import (
    UNUSED,
    ChannelDestroyed,
    ChannelStateChange,
    Event,
    Kind,
    StasisEnd,
    StasisStart,
)
from engine.ari.exchange import let_go
from engine.ari.link import EventLink
from engine.ari.operations import Reported
from engine.dev.asterisk import Options, start_asterisk
from engine.dev.children import free_port, spawn, stop
from engine.loop import let_nothing_hold_it_up

PASSWORDS = ("BENCH_ARI_PASSWORD", "BENCH_EVENTS_PASSWORD")
LONGEST = 60.0


@asynccontextmanager
async def controlled(how: str, state: Path, cap: int) -> AsyncIterator[System]:
    """The same Asterisk as the engine's, and the controller as a process of its own."""
    carrier = f"{LOOPBACK}:{free_port(SOCK_DGRAM)}"
    with start_asterisk(state, Options(carrier, cap=cap)) as asterisk:
        asterisk.wait_until_ready()
        end = asterisk.endpoint
        words = [sys.executable, "-P", "-m", "bench.bare", how, end.ari_url, end.events_address]
        secrets = dict(zip(PASSWORDS, (end.ari_password, end.events_password), strict=True))
        controller = spawn(words, state / "log" / "bare", env={**secrets, "PYTHONPATH": os.getcwd()})
        try:
            pids = {"asterisk": asterisk.pid, "controller": controller.pid}
            yield await warm(System(Ends(end.sip, carrier), pids, state))
        finally:
            stop(controller)


bare = partial(controlled, "bare")
promising = partial(controlled, "promising")


class Controller:
    """Takes every call, and connects it to the one destination."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.dispatcher = Dispatcher(self.take)
        self._numbers = itertools.count()
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, start: StasisStart) -> None:
        self.begin(self._attend(start.channel.id, f"bare{next(self._numbers)}"))

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _attend(self, caller: str, call: str) -> None:
        leg, bridge = f"{call}-b1", f"{call}-br"
        channels, expect = self.client.channels, self.dispatcher.expect
        with (
            expect((Kind.CHANNEL, caller), StasisEnd) as left,
            expect((Kind.CHANNEL, leg), ChannelDestroyed) as gone,
        ):
            ends: set[asyncio.Future[Any]] = {left, gone}
            try:
                await self.connect(caller, leg, bridge)
                await asyncio.wait(ends, timeout=LONGEST, return_when=asyncio.FIRST_COMPLETED)
            except (AriError, TimeoutError):
                pass  # one of them has hung up
            other = channels.hangup(leg if left.done() else caller)
            await asyncio.gather(let_go(other), let_go(self.client.bridges.destroy(bridge)))

    async def connect(self, caller: str, leg: str, bridge: str) -> None:
        """Six commands, with the two at the end."""
        with self.dispatcher.expect((Kind.CHANNEL, leg), StasisStart) as entered:
            await asyncio.gather(self.create(caller, leg), self.client.bridges.create_with_id(bridge))
            await asyncio.wait_for(entered, LONGEST)
        await self.client.bridges.add_channel(bridge, [caller, leg])
        await self.client.channels.dial(leg, caller=caller, timeout=30)

    async def create(self, caller: str, leg: str, **variables: str) -> None:
        await self.client.channels.create(
            f"PJSIP/{DESTINATION}@trunk", "engine", channel_id=leg, app_args="b", originator=caller,
            variables=variables,
        )  # fmt: skip

    async def stay_alive(self) -> None:
        """Tell the dialplan that we are here, until Asterisk ends us."""
        while True:
            try:
                now = await self.client.asterisk.ping()
                await self.client.asterisk.set_global_var("ENGINE_ALIVE", str(int(now.timestamp())))
                await self.client.applications.filter("engine", UNUSED)
            except AriError:
                pass  # the link is not there yet
            await asyncio.sleep(1)


class Promising(Controller):
    """The engine's commands, in its order."""

    async def connect(self, caller: str, leg: str, bridge: str) -> None:
        channels, bridges = self.client.channels, self.client.bridges
        self.begin(let_go(self.lease(caller, "routing")))
        with self.dispatcher.listen((Kind.CHANNEL, leg), (stages := Stages()).see):
            await asyncio.gather(
                self.create(caller, leg, **{"TIMEOUT(absolute)": "60"}), bridges.create_with_id(bridge)
            )
            await stages.reached("entered")
            await asyncio.gather(
                bridges.add_channel(bridge, [leg]), channels.dial(leg, caller=caller, timeout=30)
            )
            await stages.reached("Ringing")
            await channels.ring(caller)
            await stages.reached("Up")
        await channels.answer(caller)
        self.begin(let_go(self.lease(caller, "talking")))
        self.begin(let_go(channels.set_channel_vars(leg, {"TIMEOUT(absolute)": "14460"})))
        await bridges.add_channel(bridge, [caller])

    async def lease(self, caller: str, state: str) -> None:
        told = {"CALL_UUID": Reported(caller), "ENGINE_STATE": Reported(state)}
        await self.client.channels.set_channel_vars(caller, {**told, "TIMEOUT(absolute)": "60"})


class Stages:
    """How far a leg has come."""

    def __init__(self) -> None:
        self._stages = {name: asyncio.Event() for name in ("entered", "Ringing", "Up")}

    def see(self, event: Event) -> None:
        match event:
            case StasisStart():
                self._stages["entered"].set()
            case ChannelStateChange(channel=channel) if channel.state in self._stages:
                self._stages[channel.state].set()

    async def reached(self, stage: str) -> None:
        await asyncio.wait_for(self._stages[stage].wait(), LONGEST)


CONTROLLERS: dict[str, Callable[[Client], Controller]] = {"bare": Controller, "promising": Promising}


async def control(how: str, url: str, address: str) -> None:
    let_nothing_hold_it_up()
    host, _, port = address.rpartition(":")
    ari_password, events_password = (os.environ[name] for name in PASSWORDS)
    async with Client(url, "engine", ari_password) as client:
        controller = CONTROLLERS[how](client)
        link = EventLink(host, int(port), "asterisk", events_password, on_connect=lambda: None,
                         on_event=controller.dispatcher.dispatch, on_disconnect=lambda: None)  # fmt: skip
        async with link:
            await controller.stay_alive()


if __name__ == "__main__":
    uvloop.run(control(*sys.argv[1:]))
