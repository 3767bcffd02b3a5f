"""A call's bridge is there for whoever needs it, and gone with the call, however late a command arrives."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from engine.ari.bridge import AriBridge
from engine.ari.errors import Conflict, Unavailable
from engine.ari.leg import AriLeg
from engine.ari.line import AriLine


@dataclass
class Bridges:
    """Asterisk's, which has a bridge from when its creation gets through to when it is destroyed.

    `slow`: until it is set, creations are on their way; `through`: one has come; `refused`: so many fail.
    """

    slow: asyncio.Event = field(default_factory=asyncio.Event)
    through: asyncio.Event = field(default_factory=asyncio.Event)
    refused: int = 0
    there: set[str] = field(default_factory=set)
    added: list[list[str]] = field(default_factory=list)

    async def create_with_id(self, bridge_id: str) -> None:
        await self.slow.wait()
        if self.refused:
            self.refused -= 1
            raise Unavailable(500, "no room")
        if bridge_id in self.there:
            raise Conflict(409, "it is there")
        self.there.add(bridge_id)
        self.through.set()

    async def add_channel(self, bridge_id: str, channel: list[str]) -> None:
        assert bridge_id in self.there
        self.added.append(channel)

    async def destroy(self, bridge_id: str) -> None:
        self.there.discard(bridge_id)


@dataclass
class Fake:
    """A line or a leg, as far as a bridge knows one; it is its own exchange and client."""

    id: str
    bridges: Bridges = field(default_factory=Bridges)
    call_id: str = "call"

    def __getattr__(self, name: str) -> Any:
        if name in ("exchange", "client"):
            return self
        raise AttributeError(name)


LEG = cast(AriLeg, Fake("leg"))


def bridge_in(bridges: Bridges) -> AriBridge:
    return AriBridge(cast(AriLine, Fake("caller", bridges)))


async def made(bridges: Bridges) -> AriBridge:
    """One that was prepared, and is there."""
    bridge = bridge_in(bridges)
    bridge.prepare()
    bridges.slow.set()
    await bridges.through.wait()
    return bridge


async def test_a_creation_that_comes_late_leaves_no_bridge_behind() -> None:
    bridges = Bridges()
    bridge = bridge_in(bridges)
    bridge.prepare()
    dissolving = asyncio.create_task(bridge.dissolve())
    await asyncio.sleep(0)
    bridges.slow.set()
    await dissolving
    await bridges.through.wait()
    assert bridges.there == set()


async def test_a_leg_that_is_in_it_is_joined_by_the_caller_alone() -> None:
    bridge = await made(bridges := Bridges())
    await bridge.take_in(LEG)
    await bridge.join(LEG)
    assert bridges.added == [["leg"], ["caller"]]


async def test_nobody_waits_for_it_to_dial_and_both_join_it_later() -> None:
    bridges = Bridges()
    bridge = bridge_in(bridges)
    bridge.prepare()
    await bridge.take_in(LEG)
    bridges.slow.set()
    await bridge.join(LEG)
    assert bridges.added == [["caller", "leg"]]


@pytest.mark.parametrize("prepared", [True, False])
async def test_it_is_made_for_those_who_answer_if_it_is_not_there(prepared: bool) -> None:
    bridges = Bridges(refused=1 if prepared else 0)
    bridges.slow.set()
    bridge = bridge_in(bridges)
    if prepared:
        bridge.prepare()
    await bridge.join(LEG)
    assert bridges.added == [["caller", "leg"]]
    await bridge.dissolve()
    assert bridges.there == set()


async def test_it_is_prepared_anew_for_the_next_who_rings() -> None:
    bridge = await made(bridges := Bridges())
    await bridge.take_in(LEG)
    await bridge.dissolve()
    assert bridges.there == set()
    bridge.prepare()
    await bridge.join(LEG)
    assert bridges.added == [["leg"], ["caller", "leg"]]
