"""Asterisk restarted; an engine that noticed was killed before it had ended the calls of the former one."""

import asyncio
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from engine.ari.left import NEVER
from engine.ari.restarts import Restart
from engine.ari.seen import load
from journal.entries import Answered, CallEnded, CallStarted, MessageStarted
from tests.unit.switchboards import (
    AT,
    CALL,
    LEFT,
    LEG,
    NODE,
    NUMBER,
    OFFICE,
    Asterisk,
    at,
    cel,
    services_of,
    serving,
)

pytestmark = pytest.mark.looptime

NEW = "dev-1795776979.3"
SECOND = "dev-1795776988.0"  # the first channel of another Asterisk
OF_THE_NEW_ONE = {NEW: [CallStarted(NEW, at(8), NUMBER, "acme", False, NODE, NEW)]}


async def restarted_and_noticed(folder: Path) -> Asterisk:
    """An Asterisk that has restarted, which an engine noticed that did not live to end its calls."""
    asterisk = Asterisk(started=AT)
    async with serving(folder, asterisk, services_of()):
        pass
    asterisk.started = at(7.4)
    async with serving(folder, asterisk, services_of(*LEFT), last_known=at(5)):
        await asyncio.sleep(1)  # what this engine journals is lost
    return asterisk


async def test_their_calls_end_at_the_last_sign_of_life_of_the_former_one(tmp_path: Path) -> None:
    asterisk = await restarted_and_noticed(tmp_path)
    seen = load(tmp_path / "asterisk.json")
    assert seen is not None
    assert (seen.started, seen.restarts) == (at(7.4), (Restart(at(7.4), at(5)),))
    asterisk.left, services = (NEW,), services_of(*LEFT)
    async with serving(tmp_path, asterisk, services, others=OF_THE_NEW_ONE, last_known=at(9)) as board:
        await asyncio.sleep(60)
        assert [live.line.id for live in board.calls.present] == [NEW]
    assert [(end.outcome, end.at) for end in services.of(CallEnded)] == [("lost", at(5))]


async def test_each_call_ends_with_its_own_asterisk_where_two_have_died(tmp_path: Path) -> None:
    """Found by random kills: calls of the first one ended at the last sign of life of the second."""
    asterisk = await restarted_and_noticed(tmp_path)
    asterisk.started, services = at(20), services_of(*LEFT)
    async with serving(tmp_path, asterisk, services, others=OF_THE_NEW_ONE, last_known=at(12)) as board:
        await asyncio.sleep(60)
        assert board.live == 0
    assert sorted((end.at, end.outcome) for end in services.of(CallEnded)) == [
        (at(5), "lost"),
        (at(12), "lost"),
    ]


async def test_and_where_nobody_has_noticed_the_second(tmp_path: Path) -> None:
    """Found by random kills: the second Asterisk lived while no engine did. CEL has its first channel."""
    asterisk = Asterisk(started=AT)
    async with serving(tmp_path, asterisk, services_of()):
        pass
    asterisk.started, services = at(20), services_of(*LEFT)
    lines = [cel("ANSWER", LEG, 5), replace(cel("CHAN_START", SECOND, 9), call=SECOND),
             replace(cel("RING", SECOND, 12), call=SECOND)]  # fmt: skip
    async with serving(tmp_path, asterisk, services, cel_lines=lines, last_known=at(4)) as board:
        await asyncio.sleep(60)
        assert board.live == 0
    assert [(end.at, end.outcome) for end in services.of(CallEnded) if end.call == CALL] == [(at(5), "lost")]


async def test_without_any_sign_of_life_they_end_at_the_last_instant_of_their_own(tmp_path: Path) -> None:
    """The first engine that ever had calls read CEL, and was killed before it had ended them."""
    asterisk = Asterisk(started=AT)
    async with serving(tmp_path, asterisk, services_of()):
        pass
    asterisk.started = at(7.4)
    async with serving(tmp_path, asterisk, services_of(), last_known=NEVER):
        await asyncio.sleep(1)
    services = services_of(*LEFT, Answered(CALL, at(3), OFFICE))
    async with serving(tmp_path, asterisk, services, last_known=at(3)):
        await asyncio.sleep(60)
    assert [(end.outcome, end.at) for end in services.of(CallEnded)] == [("lost", at(3))]


async def test_what_the_engine_noted_after_asterisk_had_died_does_not_count(tmp_path: Path) -> None:
    """A greeting that could not be played any more has no end: the message begins by the engine's clock."""
    asterisk = Asterisk(started=AT)
    async with serving(tmp_path, asterisk, services_of()):
        pass
    asterisk.started = at(7.4)
    began = MessageStarted(CALL, at(7), f"{CALL}-vm1", {"to": ["office@acme.example"]})
    services = services_of(*LEFT, Answered(CALL, at(3), "voicemail"), began)
    async with serving(tmp_path, asterisk, services, last_known=at(4)):
        await asyncio.sleep(60)
    assert [(end.outcome, end.at) for end in services.of(CallEnded)] == [("voicemail", at(4))]


BEGAN = replace(cel("CHAN_START"), context="inbound", exten=NUMBER)


@pytest.mark.parametrize(("ended", "known"), [(False, at(1)), (True, at(1)), (False, NEVER)])
async def test_a_caller_who_waited_for_an_engine_when_asterisk_died_has_a_record(
    tmp_path: Path, *, ended: bool, known: datetime
) -> None:
    """No engine was there, so CEL has the beginning of the call alone. `ended`: an engine had the call.

    `known`: NEVER if no engine has ever had a call.
    """
    asterisk = Asterisk(started=AT)
    async with serving(tmp_path, asterisk, services_of()):
        pass
    asterisk.started, services = at(7.4), services_of()
    past = {CALL: at(2)} if ended else {}
    async with serving(
        tmp_path, asterisk, services, ended=past, cel_lines=[BEGAN], last_known=known
    ) as board:
        await asyncio.sleep(60)
        assert board.live == 0
    lost = [] if ended else [("lost", "lost", max(known, AT))]
    assert [(end.outcome, end.ended_by, end.at) for end in services.of(CallEnded)] == lost
    assert [start.number for start in services.of(CallStarted)] == [NUMBER] * len(lost)


async def test_a_connection_that_is_made_again_changes_nothing(tmp_path: Path) -> None:
    asterisk = Asterisk(started=AT)
    async with serving(tmp_path, asterisk, services_of()):
        pass
    asterisk.started, services = at(7.4), services_of(*LEFT)
    async with serving(tmp_path, asterisk, services, last_known=at(5)) as board:
        board.on_disconnect()
        board.on_connect()
        await asyncio.sleep(60)
    assert [(end.outcome, end.at) for end in services.of(CallEnded)] == [("lost", at(5))]


@pytest.mark.parametrize(
    "damage",
    ["", "null", "[]", "7", '{"started": 1}', '{"started": "2026-11-24", "offset": Infinity}', "\0\0"],
)
def test_a_damaged_file_of_what_was_seen_keeps_no_engine_from_starting(tmp_path: Path, damage: str) -> None:
    (tmp_path / "asterisk.json").write_text(damage)
    assert load(tmp_path / "asterisk.json") is None
