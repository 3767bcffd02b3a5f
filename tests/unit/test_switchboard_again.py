"""Asterisk, or the engine, has begun again: calls are told apart, none is begun twice, none keeps another."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from dialplan.result import Result
from engine.ari import left, takeover
from engine.ari.errors import AriError
from engine.ari.events import ChannelUserevent
from engine.ari.line import AriLine
from journal.entries import CallEnded, CallerLeft, CallStarted, Entry, FellBack
from journal.ids import call_id_of
from journal.state import CallState, fold
from tests.unit.fake_services import FakeCallServices
from tests.unit.switchboards import (
    AT,
    CALL,
    CALLER,
    CHANNEL,
    GOODBYE,
    LEFT,
    NODE,
    NUMBER,
    OFFICE,
    TALK,
    Asterisk,
    Setting,
    at,
    cel,
    comes_in,
    of_call,
    ready,
    services_of,
    serving,
)

pytestmark = pytest.mark.looptime

OTHER = "dev-1795776979.7"
OTHERS = {OTHER: [CallStarted(OTHER, AT, NUMBER, "acme", False, NODE, OTHER)]}
FALLBACK = cel("FALLBACK", CHANNEL, 0, dialled=NUMBER, presentation="allowed", to=OFFICE)


# One call that cannot be read.


@pytest.mark.parametrize("broken", ["fold", "line_of", "listen"])
async def test_a_call_that_cannot_be_read_is_set_aside_and_keeps_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    def trouble(*about: object) -> object:
        if OTHER in str(about):
            raise TypeError("a bug")
        return whole(*about)

    place = left if broken == "fold" else takeover
    whole = getattr(place, broken)
    monkeypatch.setattr(place, broken, trouble)
    services, asterisk = services_of(*LEFT), Asterisk(left=[CHANNEL])
    with capture_logs() as logs:
        async with serving(tmp_path, asterisk, services, others=OTHERS) as board:
            await board.take([*TALK[1:], *GOODBYE])
            await asyncio.sleep(1)
            assert (board.live, board.unreadable, board.routings) == (0, 1, frozenset())
    assert [(it["event"], it["call"]) for it in logs if it["log_level"] == "error"] == [
        ("call_unreadable", OTHER)
    ]
    assert of_call(services, OTHER) == [CallEnded(OTHER, AT, Result.LOST, "lost")]
    assert [(end.outcome, end.at) for end in services.of(CallEnded) if end.call == CALL] == [
        ("answered", at(9))
    ]


async def test_a_call_that_cannot_be_looked_for_keeps_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = takeover.look

    async def look(line: AriLine, state: CallState, started: datetime, *, left_to_us: bool) -> None:
        if line.id == OTHER:
            raise TypeError("a bug")
        await whole(line, state, started, left_to_us=left_to_us)

    monkeypatch.setattr(takeover, "look", look)
    services = services_of(*LEFT)
    with capture_logs() as logs:
        async with serving(tmp_path, Asterisk(), services, others=OTHERS):
            await asyncio.sleep(60)
    assert "call_lookup_failed" in [it["event"] for it in logs]
    assert [end.outcome for end in services.of(CallEnded) if end.call == CALL] == ["lost"]


async def test_what_nobody_thought_of_ends_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(tmp_path, Asterisk(), services_of()) as board:
        watching = asyncio.create_task(board.watch())
        await asyncio.sleep(1)
        assert not watching.done()

        async def renew(self: Setting) -> None:
            raise TypeError("a bug")

        monkeypatch.setattr(Setting, "renew", renew)
        board.on_disconnect()
        with capture_logs() as logs:
            board.on_connect()
            with pytest.raises(TypeError, match="a bug"):
                await asyncio.wait_for(watching, 10)
    assert [it["event"] for it in logs if it["log_level"] == "critical"] == ["switchboard_failed"]


async def test_a_settling_that_fails_once_forgets_no_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed: list[str] = []

    async def renew(self: Setting) -> None:
        if not failed:
            failed.append("once")
            raise AriError(500, "not now")

    monkeypatch.setattr(Setting, "renew", renew)
    services = services_of(*LEFT)
    async with serving(tmp_path, Asterisk(), services) as board:
        await asyncio.sleep(60)
        assert board.live == 0
    assert failed
    assert [end.outcome for end in services.of(CallEnded)] == ["lost"]


# Asterisk begins again, and so do its channel ids.


async def begins_again(asterisk: Asterisk, seconds: float) -> None:
    asterisk.started, asterisk.left = at(seconds), ()
    asterisk.board.on_disconnect()
    asterisk.board.on_connect()
    await ready(asterisk.board)


def told(services: FakeCallServices) -> list[tuple[str, datetime, str, datetime]]:
    """Each call, and how it has ended: id, beginning, outcome, end."""
    calls = [fold(of_call(services, start.call)) for start in services.of(CallStarted)]
    return [(it.call_id, it.began, it.ending.outcome, it.ending.at) for it in calls if it.ending]


async def test_a_channel_that_comes_again_within_a_second_is_another_call(tmp_path: Path) -> None:
    services, asterisk = services_of(), Asterisk(left=[CHANNEL])
    async with serving(tmp_path, asterisk, services) as board:
        await comes_in(board)
        await board.take(TALK)
        board.exchange.last_known = at(5.1)
        await begins_again(asterisk, 5.5)
        asterisk.there, asterisk.left = (CHANNEL,), ()
        await comes_in(board, 5.7)
        await board.take([cel("HANGUP", CHANNEL, 6, hangupcause=16, hangupsource="PJSIP/trunk-00000000"),
                          cel("LINKEDID_END", CHANNEL, 6)])  # fmt: skip
        await asyncio.sleep(40)
        assert board.live == 0
    again = call_id_of(CHANNEL, NODE, at(5.7))
    assert told(services) == [(CALL, AT, "lost", at(5.1)), (again, at(5.7), "abandoned", at(6))]


async def test_at_the_fallback_too(tmp_path: Path) -> None:
    """CEL tells of both; the end of the first is read after the second has begun."""
    services, asterisk = services_of(), Asterisk()
    async with serving(tmp_path, asterisk, services) as board:
        await board.take([FALLBACK, *TALK])
        await begins_again(asterisk, 5.5)
        second = cel("FALLBACK", CHANNEL, 5.7, dialled=NUMBER, presentation="allowed")
        first_left = cel("HANGUP", CHANNEL, 5.3, hangupcause=16, hangupsource="PJSIP/trunk-00000000")
        gone = [cel("HANGUP", CHANNEL, 6, hangupcause=34), cel("LINKEDID_END", CHANNEL, 6)]
        await board.take([second, first_left, *gone])
        await asyncio.sleep(40)
        assert board.live == 0
    again = call_id_of(CHANNEL, NODE, at(5.7))
    assert told(services) == [(CALL, AT, "answered", at(5.3)), (again, at(5.7), "unreachable", at(6))]


async def test_the_next_engine_knows_that_it_is_another_asterisk(tmp_path: Path) -> None:
    asterisk = Asterisk()
    async with serving(tmp_path, asterisk, services_of()):
        pass
    asterisk.started, asterisk.there, services = at(5), (CHANNEL,), services_of(*LEFT)
    async with serving(tmp_path, asterisk, services) as board:
        await asyncio.sleep(60)
        assert [live.line.call_id for live in board.calls.present] == [call_id_of(CHANNEL, NODE, at(5))]
    assert [(end.call, end.outcome) for end in services.of(CallEnded)] == [(CALL, "lost")]


async def test_a_fallback_talk_that_ended_with_its_asterisk_has_a_record(tmp_path: Path) -> None:
    """No engine was there, and no line tells of its end. The last sign of life is a line of another call."""
    asterisk = Asterisk()
    async with serving(tmp_path, asterisk, services_of()):
        pass
    asterisk.started, asterisk.there, services = at(500), (CHANNEL,), services_of()
    other = replace(FALLBACK, at=at(44), call="dev-1795776979.9", channel="dev-1795776979.9")
    lines = [*(replace(it, at=it.at + timedelta(seconds=30)) for it in [FALLBACK, *TALK]), other]
    async with serving(tmp_path, asterisk, services, cel_lines=lines) as board:
        await asyncio.sleep(60)
        assert [live.line.entered for live in board.calls.present] == [at(500)]
    assert told(services)[0] == (CALL, at(30), "lost", at(44))
    assert {end.outcome for end in services.of(CallEnded)} == {"lost"}


async def test_it_ended_with_its_asterisk_though_cel_was_read_late(tmp_path: Path) -> None:
    """The disk hung, and the new Asterisk has given signs of life before the old one's lines were read."""
    asterisk = Asterisk()
    async with serving(tmp_path, asterisk, services_of()):
        pass
    asterisk.started, services = at(500), services_of()
    async with serving(tmp_path, asterisk, services) as board:
        board.on_event(ChannelUserevent(at(600), "alive"))
        await board.take([replace(it, at=it.at + timedelta(seconds=30)) for it in [FALLBACK, *TALK]])
        board.calls.end_former()
        await asyncio.sleep(60)
    assert told(services) == [(CALL, at(30), "lost", at(35.02))]


# What is told twice, or late.


async def test_lines_of_a_call_that_has_ended_begin_it_no_second_time(tmp_path: Path) -> None:
    services = services_of()
    ring = cel("RING", CHANNEL, 0.05, ring="1", to=f"PJSIP/{OFFICE}@trunk0", dialled=NUMBER)
    async with serving(tmp_path, Asterisk(), services, ended={CALL: at(9)}) as board:
        await board.take([FALLBACK, ring, *TALK, *GOODBYE])
        assert board.live == 0
    assert services.of(CallStarted) == []


async def test_a_call_that_ended_a_moment_ago_is_not_begun_again_either(tmp_path: Path) -> None:
    services = services_of()
    async with serving(tmp_path, Asterisk(), services) as board:
        await board.take([FALLBACK, *TALK, *GOODBYE])
        await asyncio.sleep(1)
        await board.take([FALLBACK, *TALK, *GOODBYE])
        await comes_in(board, -0.2)
        await asyncio.sleep(1)
        assert board.live == 0
    assert len(services.of(CallStarted)) == len(services.of(CallEnded)) == 1


async def test_of_a_call_that_cel_told_first_the_caller_is_told_later(tmp_path: Path) -> None:
    """The engine stood still for 5 s, and Asterisk has taken the caller to the fallback meanwhile."""
    services = services_of()
    async with serving(tmp_path, Asterisk(), services) as board:
        await board.take([FALLBACK, *TALK])
        await comes_in(board, -5)
        await board.take(GOODBYE)
        await asyncio.sleep(60)
        assert board.live == 0
    state = fold(services.entries)
    assert (state.caller, state.withheld, state.began, state.fell_back) == (CALLER, False, at(-5), AT)
    assert len(services.of(CallEnded)) == 1
    assert len(services.of(FellBack)) == 1


async def test_a_bug_in_reading_one_line_costs_that_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = CallState.apply

    def apply(self: CallState, entry: Entry) -> None:
        if isinstance(entry, FellBack):
            raise ZeroDivisionError
        whole(self, entry)

    monkeypatch.setattr(CallState, "apply", apply)
    services = services_of()
    with capture_logs() as logs:
        async with serving(tmp_path, Asterisk(), services) as board:
            await board.take([FALLBACK, *TALK, *GOODBYE])
            await asyncio.sleep(1)
    assert [it["event"] for it in logs if it["log_level"] == "error"] == ["cel_not_understood"]
    assert len(services.of(CallerLeft)) == 1


async def test_a_bug_in_beginning_a_call_costs_its_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def terms(self: FakeCallServices, dialled: str) -> None:
        raise ZeroDivisionError

    services = services_of(*LEFT)
    async with serving(tmp_path, Asterisk(left=[CHANNEL]), services) as board:
        monkeypatch.setattr(FakeCallServices, "terms", terms)
        other = replace(FALLBACK, call="dev-1795776979.9", channel="dev-1795776979.9")
        await board.take([other, *TALK, *GOODBYE])
        await asyncio.sleep(1)
    assert [end.outcome for end in services.of(CallEnded)] == ["answered"]
