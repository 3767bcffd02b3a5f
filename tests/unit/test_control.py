"""What the control socket shows of live calls, and what it refuses."""

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from engine.control import SOCKET, Controlled, keep_controlling
from engine.drain import DRAINED, Drain
from engine.live_calls import busiest, by_carrier, doing, listed
from journal.entries import (
    CallerLeft,
    CallStarted,
    Entry,
    FellBack,
    HandedOver,
    LegConnected,
    LegStarted,
    MessageStarted,
)
from journal.state import CallState, fold
from process.local_socket import short_path

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
CALL = "01890a5d-ac96-774b-bcce-b302099a8057"
DESTINATION = "+32470111222"


def call(*entries: Entry, withheld: bool = False, number: str = "+3270012345", trunk: str = "") -> CallState:
    caller = "" if withheld else "+3225551234"
    begun = CallStarted(
        CALL, NOW, number, "acme", withheld=withheld, node="n", channel="c", caller=caller, trunk=trunk
    )
    return fold([begun, *entries])


def test_a_withheld_caller_is_not_shown() -> None:
    shown, hidden = (listed([call(withheld=withheld)], NOW)[0] for withheld in (False, True))
    assert (shown["caller"], hidden["caller"]) == ("+3225551234", "withheld")
    assert "5551234" not in json.dumps(hidden)


@pytest.mark.parametrize(
    ("entries", "what"),
    [
        ([], "in its route"),
        ([HandedOver(CALL, NOW, to=(DESTINATION,), seconds=20)], f"rings {DESTINATION}"),
        (
            [LegStarted(CALL, NOW, leg="l", to=DESTINATION), LegConnected(CALL, NOW, leg="l")],
            f"talks with {DESTINATION}",
        ),
        ([FellBack(CALL, NOW, to=(DESTINATION,))], "at its fallback"),
        ([MessageStarted(CALL, NOW, audio=f"{CALL}-vm1", deliver={})], "leaves a message"),
        ([CallerLeft(CALL, NOW, by="caller", cause=16)], "has ended"),
    ],
)
def test_it_says_what_happens_to_a_caller(entries: list[Entry], what: str) -> None:
    assert doing(call(*entries)) == what


def test_the_busiest_numbers_come_first() -> None:
    states = [call(number="+321"), call(number="+322"), call(number="+322")]
    assert busiest(states, 1) == [{"number": "+322", "live": 2}]


def test_live_calls_are_counted_by_the_carrier_that_they_came_from() -> None:
    states = [call(trunk="beta"), call(trunk="trunk"), call(trunk="beta"), call()]
    assert by_carrier(states) == [
        {"trunk": "beta", "live": 2},
        {"trunk": "trunk", "live": 1},
        {"trunk": "unknown", "live": 1},
    ]


def test_a_drained_engine_stays_so_over_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "drained"
    Drain(file).turn(on=True, operator="alice")
    assert Drain(file).troubles == [DRAINED]
    Drain(file).turn(on=False, operator="alice")
    assert Drain(file).troubles == []


async def ask(folder: Path, method: str, path: str) -> tuple[int, Mapping[str, Any]]:
    with short_path(folder / SOCKET) as socket:
        async with (
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(socket)) as session,
            session.request(method, f"http://engine{path}", data="alice") as answer,
        ):
            return answer.status, await answer.json() if answer.content_type.endswith("json") else {}


async def test_it_answers_on_a_socket_even_in_a_folder_with_a_long_name(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    (folder / SOCKET).write_text("left by an engine that was killed")
    asked: list[str] = []

    async def hang_up(call_id: str) -> bool:
        asked.append(call_id)
        return call_id == CALL

    drain = Drain()
    controlled = Controlled(lambda: [call()], hang_up, drain, lambda: {"reasons": drain.troubles})
    serving = asyncio.create_task(keep_controlling(folder, controlled))
    async with asyncio.timeout(5):
        while not (folder / SOCKET).is_socket():  # noqa: ASYNC110 - nobody is told
            await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert (await ask(folder, "GET", "/calls"))[1]["calls"][0]["call_id"] == CALL
    assert (await ask(folder, "DELETE", f"/calls/{CALL}"))[0] == 200
    assert (await ask(folder, "DELETE", f"/calls/{CALL[:-1]}0"))[0] == 404
    assert (await ask(folder, "DELETE", "/calls/..%2f"))[0] == 404
    assert (await ask(folder, "POST", "/drain/on"))[1] == {"drained": True, "live": 1}
    assert (await ask(folder, "GET", "/top"))[1]["reasons"] == [DRAINED]
    assert asked == [CALL, f"{CALL[:-1]}0"]
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    assert not (folder / SOCKET).exists()


async def test_a_socket_that_cannot_be_opened_is_tried_again_and_raises_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "later"
    controlled = Controlled(list, lambda _: asyncio.sleep(0, result=False), Drain(), dict)
    serving = asyncio.create_task(keep_controlling(folder, controlled))
    await asyncio.wait({serving}, timeout=0.05)
    assert not serving.done()
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
