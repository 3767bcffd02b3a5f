"""Commands that are collected, and sent in one piece."""

import asyncio
import gc
import weakref

import pytest
from structlog.testing import capture_logs

from engine.ari.client import Client
from engine.ari.connection import Connection
from engine.ari.errors import Gone, NoReply
from tests.unit.test_ari_connection import GONE, NOTHING, Wire

REFUSED = (
    b"HTTP/1.1 500 Internal Server Error\r\nContent-type: application/json\r\nContent-Length: 16\r\n\r\n"
    b'{"message":"no"}'
)


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    wire = Wire([])

    async def open_it(*_: object) -> Connection:
        return wire.connection

    monkeypatch.setattr(Connection, "open", open_it)
    return wire


async def carry_out() -> None:
    async with Client("http://127.0.0.1:8088/ari", "engine", "secret") as client:
        batch = client.batch()
        await batch.channels.set_channel_vars("call", {"A": "1"})
        await batch.channels.play_with_id("call", "p", ["sound:welcome"])
        await batch.carry_out()


async def test_nothing_is_sent_before_all_of_it_is(wire: Wire) -> None:
    wire.answers.append(NOTHING + NOTHING)
    await carry_out()
    (piece,) = wire.asked
    assert piece.count(b"HTTP/1.1") == 2
    assert piece.index(b"/call/variables") < piece.index(b"/call/play/p")


async def test_the_error_of_the_last_command_is_raised(wire: Wire) -> None:
    wire.answers.append(GONE + GONE)
    with capture_logs() as logged, pytest.raises(Gone):
        await carry_out()
    assert logged == []


async def test_the_error_of_an_earlier_command_is_logged(wire: Wire) -> None:
    wire.answers.append(REFUSED + NOTHING)
    with capture_logs() as logged:
        await carry_out()
    (line,) = logged
    assert line["event"] == "ari_command_failed"
    assert "POST /channels/{channelId}/variables" in line["error"]


async def test_with_one_reply_of_two_there_is_none(wire: Wire) -> None:
    wire.answers.append(NOTHING)
    carrying_out = asyncio.create_task(carry_out())
    for _ in range(10):
        await asyncio.sleep(0)
    assert (len(wire.asked), wire.answers) == (1, [])
    wire.say(None)
    with pytest.raises(NoReply):
        await carrying_out


async def test_a_batch_is_forgotten_once_it_is_carried_out() -> None:
    """Each step has one: a cycle of references would stay in memory for an hour."""
    gc.disable()
    try:
        client = Client("http://127.0.0.1:8088/ari", "engine", "secret")
        batch = client.batch()
        await batch.channels.set_channel_vars("call", {"A": "1"})
        left = weakref.ref(batch)
        del batch
        assert left() is None
    finally:
        gc.enable()
