"""The least that can control a call over ARI, as a system to measure: what of a call's price is Asterisk's.

Six commands a call, of twelve: no lease, no journal, no record, no metrics and no log; both legs are in one
bridge before the destination is dialled, so that Asterisk passes ringing and answer on by itself. Nobody
should serve callers so (docs/decisions/010): whoever is faster than this has left ARI.
"""

import asyncio
import itertools
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from socket import SOCK_DGRAM
from typing import Any

import uvloop

from bench.sipp import DESTINATION, LOOPBACK, Ends
from bench.systems import System, warm
from engine.ari.client import Client
from engine.ari.dispatcher import Dispatcher
from engine.ari.errors import AriError
from engine.ari.events import UNUSED, ChannelDestroyed, Kind, StasisEnd, StasisStart
from engine.ari.exchange import let_go
from engine.ari.link import EventLink
from engine.dev.asterisk import Options, start_asterisk
from engine.dev.children import free_port, spawn, stop
from engine.loop import keep_what_is_there

PASSWORDS = ("BENCH_ARI_PASSWORD", "BENCH_EVENTS_PASSWORD")
LONGEST = 60.0


@asynccontextmanager
async def bare(state: Path, cap: int) -> AsyncIterator[System]:
    """The same Asterisk as the engine's, and the controller as a process of its own."""
    carrier = f"{LOOPBACK}:{free_port(SOCK_DGRAM)}"
    with start_asterisk(state, Options(carrier, cap=cap)) as asterisk:
        asterisk.wait_until_ready()
        end = asterisk.endpoint
        words = [sys.executable, "-P", "-m", "bench.bare", end.ari_url, end.events_address]
        secrets = dict(zip(PASSWORDS, (end.ari_password, end.events_password), strict=True))
        controller = spawn(words, state / "log" / "bare", env={**secrets, "PYTHONPATH": os.getcwd()})
        try:
            pids = {"asterisk": asterisk.pid, "controller": controller.pid}
            yield await warm(System(Ends(end.sip, carrier), pids, state))
        finally:
            stop(controller)


class Controller:
    """Takes every call, and connects it to the one destination."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.dispatcher = Dispatcher(self.take)
        self._numbers = itertools.count()
        self._calls: set[asyncio.Task[None]] = set()

    def take(self, start: StasisStart) -> None:
        task = asyncio.create_task(self._connect(start.channel.id, f"bare{next(self._numbers)}"))
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)

    async def _connect(self, caller: str, call: str) -> None:
        leg, bridge = f"{call}-b1", f"{call}-br"
        channels, bridges, expect = self.client.channels, self.client.bridges, self.dispatcher.expect
        about = (Kind.CHANNEL, leg)
        with (
            expect((Kind.CHANNEL, caller), StasisEnd) as left,
            expect(about, StasisStart) as entered,
            expect(about, ChannelDestroyed) as gone,
        ):
            try:
                create = channels.create(f"PJSIP/{DESTINATION}@trunk", "engine", channel_id=leg, app_args="b",
                                         originator=caller)  # fmt: skip
                await asyncio.gather(create, bridges.create_with_id(bridge))
                await asyncio.wait_for(entered, LONGEST)
                await bridges.add_channel(bridge, [caller, leg])
                await channels.dial(leg, caller=caller, timeout=30)
                ends: set[asyncio.Future[Any]] = {left, gone}
                await asyncio.wait(ends, timeout=LONGEST, return_when=asyncio.FIRST_COMPLETED)
            except AriError:
                pass  # one of them has hung up
            other = channels.hangup(leg if left.done() else caller)
            await asyncio.gather(let_go(other), let_go(bridges.destroy(bridge)))

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


async def control(url: str, address: str) -> None:
    keep_what_is_there()
    host, _, port = address.rpartition(":")
    ari_password, events_password = (os.environ[name] for name in PASSWORDS)
    async with Client(url, "engine", ari_password) as client:
        controller = Controller(client)
        link = EventLink(host, int(port), "asterisk", events_password, on_connect=lambda: None,
                         on_event=controller.dispatcher.dispatch, on_disconnect=lambda: None)  # fmt: skip
        async with link:
            await controller.stay_alive()


if __name__ == "__main__":
    uvloop.run(control(*sys.argv[1:]))
