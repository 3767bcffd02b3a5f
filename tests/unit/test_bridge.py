"""A call's bridge is there for whoever needs it, and gone with the call, however late a command arrives."""

import asyncio
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, cast

import pytest
from engine.ari.bridge import AriBridge
from engine.ari.leg import AriLeg

from engine.ari.errors import Conflict, Gone, Unavailable
from engine.ari.line import AriLine


@dataclass
class Bridges:
    """Asterisk's, which has a bridge from when its creation gets through to when it is destroyed.

    `slow`: until it is set, creations are on their way; `through`: one has come; `refused`: so many fail.
    One that is destroyed is `going`, and refuses to be made anew.
    """

    slow: asyncio.Event = field(default_factory=asyncio.Event)
    through: asyncio.Event = field(default_factory=asyncio.Event)
    refused: int = 0
    there: set[str] = field(default_factory=set)
    going: set[str] = field(default_factory=set)
    added: list[list[str]] = field(default_factory=list)

    async def create_with_id(self, bridge_id: str) -> None:
        await self.slow.wait()
        if self.refused:
            self.refused -= 1
            raise Unavailable(500, "no room")
        if bridge_id in self.there | self.going:
            raise Conflict(409, "it is there")
        self.there.add(bridge_id)
        self.through.set()

    async def add_channel(self, bridge_id: str, channel: list[str]) -> None:
        if bridge_id not in self.there:
            raise Gone(404, "there is none")
        self.added.append(channel)

    async def destroy(self, bridge_id: str) -> None:
        self.there.discard(bridge_id)
        self.going.add(bridge_id)


@dataclass
class Fake:
    """A line or a leg, as far as a bridge knows one; it is its own exchange and client."""

    id: str
    bridges: Bridges = field(default_factory=Bridges)
    call_id: str = "call"

    @cached_property
    def ended(self) -> asyncio.Future[object]:
        return asyncio.get_running_loop().create_future()

    def __getattr__(self, name: str) -> Any:
        if name in ("exchange", "client"):
            return self
        raise AttributeError(name)


LEG = cast(AriLeg, Fake("leg"))
NEXT = cast(AriLeg, Fake("next"))


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


async def test_the_next_who_rings_finds_it_there() -> None:
    bridge = await made(bridges := Bridges())
    await bridge.take_in(LEG)
    bridge.prepare()
    await bridge.take_in(NEXT)
    await bridge.join(NEXT)
    assert bridges.added == [["leg"], ["next"], ["caller"]]
    await bridge.dissolve()
    assert bridges.there == set()


async def test_one_that_could_not_be_made_is_tried_again_for_the_next_who_rings() -> None:
    bridges = Bridges(refused=1)
    bridges.slow.set()
    bridge = bridge_in(bridges)
    bridge.prepare()
    for _ in range(5):
        await asyncio.sleep(0)
    assert bridges.refused == 0
    bridge.prepare()
    await bridges.through.wait()
    await bridge.join(NEXT)
    assert bridges.added == [["caller", "next"]]


@pytest.mark.looptime
async def test_who_is_there_and_cannot_be_joined_is_not_thought_to_have_hung_up() -> None:
    bridge = await made(bridges := Bridges())
    await bridges.destroy(bridge.id)  # by somebody else
    with pytest.raises(Gone):
        await bridge.join(LEG)


async def test_what_an_earlier_engine_made_goes_with_the_call() -> None:
    bridges = Bridges(there={"call-br"})
    bridge = bridge_in(bridges)
    bridge.adopt()
    await bridge.dissolve()
    assert bridges.there == set()
