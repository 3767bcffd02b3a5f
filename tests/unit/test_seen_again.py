"""Asterisk restarted; an engine that noticed was killed before it had ended the calls of the former one."""

import asyncio
from pathlib import Path

import pytest

from engine.ari.seen import load
from journal.entries import CallEnded, CallStarted
from tests.unit.switchboards import AT, LEFT, NODE, NUMBER, Asterisk, at, services_of, serving

pytestmark = pytest.mark.looptime

NEW = "dev-1795776979.3"
OF_THE_NEW_ONE = {NEW: [CallStarted(NEW, at(8), NUMBER, "acme", False, NODE, NEW)]}


async def test_their_calls_end_at_the_last_sign_of_life_of_the_former_one(tmp_path: Path) -> None:
    asterisk = Asterisk(started=AT)
    async with serving(tmp_path, asterisk, services_of()):
        pass
    asterisk.started = at(7.4)
    async with serving(tmp_path, asterisk, services_of(*LEFT), last_known=at(5)):
        await asyncio.sleep(1)  # what this engine journals is lost
    seen = load(tmp_path / "asterisk.json")
    assert seen is not None
    assert (seen.started, seen.known) == (at(7.4), at(5))
    asterisk.left, services = (NEW,), services_of(*LEFT)
    async with serving(tmp_path, asterisk, services, others=OF_THE_NEW_ONE, last_known=at(9)) as board:
        await asyncio.sleep(60)
        assert [live.line.id for live in board.calls.present] == [NEW]
    assert [(end.outcome, end.at) for end in services.of(CallEnded)] == [("lost", at(5))]


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
