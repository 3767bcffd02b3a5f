"""Where calls come in: CEL's events find their calls, and an engine takes over what an earlier one left."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from engine.ari.client import Client
from engine.ari.events import StasisStart
from engine.ari.left import Left
from engine.ari.setting import Cel, Trunk
from engine.ari.state import AppInfo, ChannelInfo
from engine.ari.switchboard import Switchboard
from engine.handle import handle
from journal.entries import (
    Answered,
    CallEnded,
    CallerLeft,
    CallStarted,
    FellBack,
    HandedOver,
    LegConnected,
    LegEnded,
    LegStarted,
)
from journal.ids import leg_id_of
from tests.unit.switchboards import (
    AT,
    CALL,
    CHANNEL,
    GOODBYE,
    LEFT,
    LEG,
    NUMBER,
    OFFICE,
    TALK,
    Asterisk,
    C,
    D,
    Setting,
    at,
    cel,
    channel,
    comes_in,
    kinds,
    services_of,
    serving,
)

pytestmark = pytest.mark.looptime


async def test_a_call_is_handed_over_and_cel_tells_the_rest(tmp_path: Path) -> None:
    services, asterisk = services_of(), Asterisk()
    async with serving(tmp_path, asterisk, services) as board:
        await comes_in(board)
        assert asterisk.commands[-1] == "continue_in_dialplan"
        await board.take([*TALK, *GOODBYE])
        await asyncio.sleep(1)
        assert board.live == 0
    assert kinds(services)[:2] == [CallStarted, HandedOver]
    assert services.of(Answered) == [Answered(CALL, at(5.01))]
    assert services.of(LegConnected) == [LegConnected(CALL, at(5.02), leg_id_of(CALL, LEG))]
    assert services.of(CallerLeft) == [CallerLeft(CALL, at(9), "destination", 16)]
    assert services.entries[-1] == CallEnded(
        CALL, at(9), services.of(CallEnded)[0].outcome, "destination", 16
    )
    assert services.of(CallEnded)[0].outcome == "answered"


async def test_a_call_is_taken_when_asterisk_has_what_it_keeps_for_us(tmp_path: Path) -> None:
    services, asterisk = services_of(), Asterisk()
    taken_meanwhile: list[CallStarted] = []

    class Renews(Setting):
        async def renew(self) -> None:
            asterisk.board.on_event(StasisStart(at(0), channel(), ("in", NUMBER)))
            await asyncio.sleep(1)
            taken_meanwhile.extend(services.of(CallStarted))

    async with serving(tmp_path, asterisk, services, Renews()):
        assert len(services.of(CallStarted)) == 1
    assert taken_meanwhile == []


async def test_a_line_that_makes_no_sense_costs_no_other(tmp_path: Path) -> None:
    services = services_of()
    async with serving(tmp_path, Asterisk(), services) as board:
        await comes_in(board)
        await board.take([cel("REC_START", LEG), cel("HANGUP", CHANNEL, 1, hangupcause=[]), TALK[0]])
    assert services.of(LegStarted) == [LegStarted(CALL, at(0.1), leg_id_of(CALL, LEG), OFFICE, "trunk")]


async def test_lines_of_calls_that_are_over_are_nobodys(tmp_path: Path) -> None:
    services = services_of()
    async with serving(tmp_path, Asterisk(), services) as board:
        await board.take([*TALK, *GOODBYE])
        assert board.live == 0
    assert kinds(services) == []


async def test_nothing_is_taken_before_it_is_known_which_calls_there_are(tmp_path: Path) -> None:
    services, asterisk = services_of(), Asterisk()
    file = Cel(tmp_path / "Master.csv", tmp_path / "kept", first=True)
    trunk = Trunk("engine", "PJSIP/{number}@trunk")
    board = Switchboard(
        cast(Client, asterisk),
        services,
        handle,
        Setting(),
        trunk,
        cel=file,
        left=Left({}, {}, AT, tmp_path / "seen"),
    )
    taking = asyncio.create_task(board.take(TALK))
    await asyncio.sleep(100)
    assert not taking.done()
    taking.cancel()


async def test_a_call_that_no_engine_saw_has_its_whole_record(tmp_path: Path) -> None:
    services = services_of()
    async with serving(tmp_path, Asterisk(), services) as board:
        dialled = cel(
            "FALLBACK", CHANNEL, 0, dialled="003270012345", presentation="prohib_passed_screen", to=OFFICE
        )
        await board.take([cel("CHAN_START"), dialled, *TALK, *GOODBYE])
        await asyncio.sleep(1)
        assert board.live == 0
    (start,) = services.of(CallStarted)
    assert (start.call, start.number, start.withheld, start.channel) == (CALL, NUMBER, True, CHANNEL)
    assert kinds(services)[:3] == [CallStarted, FellBack, LegStarted]
    (ending,) = services.of(CallEnded)
    assert (ending.outcome, ending.ended_by, ending.at) == ("answered", "destination", at(9))


@pytest.mark.parametrize(
    ("came", "began"), [("1795514395.250000", -4.75), ("", 0), ("soon", 0), ("9" * 30, 0), ("nan", 0)]
)
async def test_a_call_that_no_engine_saw_began_when_the_door_says(
    tmp_path: Path, came: str, began: float
) -> None:
    services = services_of()
    async with serving(tmp_path, Asterisk(), services) as board:
        await board.take([cel("FALLBACK", CHANNEL, 0, dialled=NUMBER, came=came), *TALK, *GOODBYE])
        await asyncio.sleep(1)
    (start,) = services.of(CallStarted)
    assert start.at == at(began)


async def test_a_conversation_that_an_earlier_engine_handed_over_goes_on(tmp_path: Path) -> None:
    services, asterisk = services_of(*LEFT), Asterisk(left=[CHANNEL])
    async with serving(tmp_path, asterisk, services) as board:
        assert board.live == 1
        await board.take(TALK[1:])
        await asyncio.sleep(600)
        assert board.live == 1
        await board.take(GOODBYE)
        await asyncio.sleep(1)
        assert board.live == 0
    assert asterisk.commands == []
    (ending,) = services.of(CallEnded)
    assert (ending.outcome, ending.ended_by, ending.at) == ("answered", "destination", at(9))


async def test_lines_that_were_taken_before_are_taken_again_without_a_difference(tmp_path: Path) -> None:
    services = services_of(*LEFT)
    async with serving(tmp_path, Asterisk(left=[CHANNEL]), services) as board:
        await board.take([TALK[0], *TALK, *TALK[:2], *GOODBYE[:2], *GOODBYE])
        await asyncio.sleep(1)
    assert len(services.of(Answered)) == len(services.of(CallEnded)) == 1
    assert {entry.outcome for entry in services.of(LegEnded)} == {"taken"}


async def test_a_call_that_is_nowhere_ended_with_its_asterisk(tmp_path: Path) -> None:
    services = services_of(*LEFT)
    async with serving(tmp_path, Asterisk(), services) as board:
        await asyncio.sleep(60)
        assert board.live == 0
    (ending,) = services.of(CallEnded)
    assert (ending.outcome, ending.ended_by, ending.at) == ("lost", "lost", AT)


async def test_a_call_that_ends_while_it_is_looked_for_has_the_end_that_cel_tells(tmp_path: Path) -> None:
    class Ending(Asterisk):
        """The channel is gone when the engine asks for it, and CEL says so 10 ms later."""

        async def get(self, what: str) -> AppInfo | ChannelInfo:
            if what == CHANNEL:
                self.telling = asyncio.create_task(self.tell())
            return await super().get(what)

        async def tell(self) -> None:
            await asyncio.sleep(0.01)
            await self.board.take([*TALK[1:], *GOODBYE])

    services = services_of(*LEFT)
    async with serving(tmp_path, Ending(), services) as board:
        await asyncio.sleep(1)
        assert board.live == 0
    (ending,) = services.of(CallEnded)
    assert (ending.outcome, ending.ended_by, ending.at) == ("answered", "destination", at(9))


async def test_a_caller_who_is_back_goes_on_with_the_route(tmp_path: Path) -> None:
    """Nobody was there when they came back: no event has said so."""
    done = LegEnded(CALL, at(1), leg_id_of(CALL, LEG), "busy", 17, 486)  # type: ignore[arg-type]
    services, asterisk = services_of(*LEFT, done), Asterisk(CHANNEL)
    async with serving(tmp_path, asterisk, services):
        await asyncio.sleep(1)
        assert f"hangup {CHANNEL}" in asterisk.commands
    assert "StepPerformed" in services.kinds


async def test_a_channel_of_ours_that_nobody_knows_is_hung_up(tmp_path: Path) -> None:
    asterisk = Asterisk(f"{CALL}-w1")
    async with serving(tmp_path, asterisk, services_of()):
        assert asterisk.commands == [f"hangup {CALL}-w1"]


async def test_a_ring_that_no_journal_knows_is_recorded_and_stays_withheld(tmp_path: Path) -> None:
    """The engine that handed the caller over was killed before the call's start was on the disk."""
    services = services_of()
    async with serving(tmp_path, Asterisk(), services) as board:
        told = {"dialled": NUMBER, "presentation": "prohib_not_screened", "to": f"PJSIP/{OFFICE}@trunk0"}
        await board.take([cel("RING", CHANNEL, 0, ring="1", **told), *TALK, *GOODBYE])
        await asyncio.sleep(1)
    (start,) = services.of(CallStarted)
    assert (start.call, start.number, start.withheld) == (CALL, NUMBER, True)
    assert [leg.to for leg in services.of(LegStarted)] == [OFFICE]


@pytest.mark.parametrize(("source", "outcomes"), [(C, ["abandoned"]), (D, []), ("dialplan/builtin", [])])
async def test_a_caller_who_gives_up_before_any_engine_wrote_it_down_has_a_record(
    tmp_path: Path, source: str, outcomes: list[str]
) -> None:
    """The engine that was told of the call was killed; the next one has only CEL. A call refused at the door
    ends by Asterisk's own hand: that is no call of the number's."""
    services = services_of()
    async with serving(tmp_path, Asterisk(), services) as board:
        began = replace(cel("CHAN_START"), context="inbound", exten=NUMBER)
        left = replace(cel("HANGUP", CHANNEL, 3, hangupcause=0, hangupsource=source), context="door")
        await board.take([began, left, cel("LINKEDID_END", CHANNEL, 3)])
        await asyncio.sleep(60)
        assert board.live == 0
    assert [end.outcome for end in services.of(CallEnded)] == outcomes
    assert [(start.number, start.at) for start in services.of(CallStarted)] == [(NUMBER, at(0))] * len(
        outcomes
    )
    assert [end.at for end in services.of(CallEnded)] == [at(3)] * len(outcomes)


async def test_an_engine_that_stops_is_expected_back_and_says_nothing_after_that(tmp_path: Path) -> None:
    asterisk = Asterisk()
    async with serving(tmp_path, asterisk, services_of()) as board:
        alive = asterisk.globals[-1]
        async with board.closing():
            await asyncio.sleep(5)
        assert alive == ("ENGINE_ALIVE", str(int(at(100).timestamp())))
        assert asterisk.globals[-1] == ("ENGINE_ALIVE", str(int(at(105).timestamp())))


async def test_a_caller_for_whom_the_engine_does_nothing_waits_on_while_it_lives(tmp_path: Path) -> None:
    asterisk = Asterisk()
    async with serving(tmp_path, asterisk, services_of()) as board:
        board.exchange.waiting.add(CHANNEL)
        await asyncio.sleep(1.2)
        assert asterisk.commands == ["set_channel_vars"]
