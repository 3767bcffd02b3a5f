"""Callers who were answered and never sent a sound lose their line while others are refused."""

import asyncio
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import cast

import pytest

from engine.ari.client import Client
from engine.ari.dispatcher import Dispatcher
from engine.ari.errors import Gone
from engine.ari.exchange import Exchange
from engine.ari.live import Live
from engine.ari.unheard import EVERY_SECONDS, Unheard

AT = datetime(2026, 11, 24, 10, tzinfo=UTC)
HEARD = {"talks": True, "silent": False, "rings": False, "new": False}

pytestmark = pytest.mark.looptime


class Asterisk:
    def __init__(self) -> None:
        self.channels = self
        self.hung_up: list[tuple[str, int | None]] = []

    async def rtpstatistics(self, channel_id: str) -> bool:
        if channel_id not in HEARD:
            raise Gone(404, "no such channel")
        return HEARD[channel_id]

    async def hangup(self, channel_id: str, *, reason_code: int | None = None) -> None:
        self.hung_up.append((channel_id, reason_code))


def live(channel: str, answered: float | None) -> Live:
    """A call that was answered so many seconds ago."""
    state = SimpleNamespace(answered=None if answered is None else AT - timedelta(seconds=answered))
    line = SimpleNamespace(id=channel, dialled="+3270012345")
    return cast(Live, SimpleNamespace(line=line, journal=SimpleNamespace(state=state)))


LIVES = [live("gone", 60), live("talks", 60), live("silent", 11), live("rings", None), live("new", 9)]


async def test_only_they_are_hung_up_as_the_network_would() -> None:
    asterisk = Asterisk()
    exchange = Exchange(cast(Client, asterisk), Dispatcher(lambda _: None), AT)
    work = Unheard(exchange).look(LIVES)
    assert work is not None
    await work
    assert asterisk.hung_up == [("silent", 44)]


async def test_a_flood_of_refused_calls_causes_one_look_in_five_seconds() -> None:
    exchange = Exchange(cast(Client, Asterisk()), Dispatcher(lambda _: None), AT)
    unheard = Unheard(exchange)
    await asyncio.sleep(1)
    for _ in range(2):
        first, second = unheard.look(LIVES), unheard.look(LIVES)
        assert first is not None
        assert second is None
        await first
        await asyncio.sleep(EVERY_SECONDS)
