"""Connections to the port of Asterisk's events without its password: few, short, in nobody's way."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import aiohttp
import pytest

from engine.ari.link import EventLink
from process.connections import Limits
from tests.lateness import PATIENCE
from tests.live.ears import MARKER, Ear, url

LOGIN = {"Authorization": aiohttp.encode_basic_auth("asterisk", "secret")}


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(headers=LOGIN) as made:
        yield made


type Stranger = tuple[asyncio.StreamReader, asyncio.StreamWriter]
HALF = b"GET /ari HTTP/1.1\r\nHost: x\r\n"
OTHER = b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n"


async def strangers(link: EventLink, how_many: int) -> list[Stranger]:
    return [await asyncio.open_connection("127.0.0.1", link.port) for _ in range(how_many)]


async def ended(reader: asyncio.StreamReader) -> None:
    with suppress(ConnectionError):
        await asyncio.wait_for(reader.read(), PATIENCE)


async def test_asterisk_gets_in_whoever_else_holds_connections(session: aiohttp.ClientSession) -> None:
    ear = Ear()
    async with ear.link() as link:
        idle = await strangers(link, 40)
        async with session.ws_connect(url(link)) as socket:
            await ear.hear("connected")
            idle += await strangers(link, 40)
            await socket.send_str(MARKER)
            await ear.hear("connected", "ChannelUserevent")
            for reader, _ in idle[:-8]:
                await ended(reader)
            assert link.connected, "of those that have shown the password none is ended"
        for _, writer in idle:
            writer.transport.abort()


@pytest.mark.parametrize("part", [b"", HALF, OTHER])
async def test_who_does_not_show_the_password_in_time_is_ended(part: bytes) -> None:
    ear = Ear()
    async with ear.link(strangers=Limits(total=8, seconds=0.2)) as link:
        ((reader, writer),) = await strangers(link, 1)
        writer.write(part)
        await ended(reader)
        writer.transport.abort()


async def test_asterisk_s_connection_lasts_longer_than_a_stranger_s(session: aiohttp.ClientSession) -> None:
    ear = Ear()
    async with (
        ear.link(strangers=Limits(total=8, seconds=1)) as link,
        session.ws_connect(url(link)) as socket,
    ):
        await ear.hear("connected")
        ((reader, writer),) = await strangers(link, 1)
        await ended(reader)  # later than Asterisk's would have ended
        await socket.send_str(MARKER)
        await ear.hear("connected", "ChannelUserevent")
        writer.transport.abort()
