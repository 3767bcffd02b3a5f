"""The event link: on bare sockets what it lets in and how it ends; with Asterisk what comes through it."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from engine.ari.client import Client
from engine.ari.errors import PortTaken
from engine.ari.link import silence
from tests.live.ears import MARKER, Ear, url


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(
        headers={"Authorization": aiohttp.encode_basic_auth("asterisk", "secret")}
    ) as made:
        yield made


async def test_an_event_is_told_between_connect_and_disconnect(session: aiohttp.ClientSession) -> None:
    ear = Ear()
    async with ear.link() as link:
        async with session.ws_connect(url(link), protocols=["ari"]) as socket:
            assert socket.protocol == "ari"
            await socket.send_str(MARKER)
            await ear.hear("connected", "ChannelUserevent")
            assert link.connected
        await ear.hear("connected", "ChannelUserevent", "disconnected")
        assert not link.connected


@pytest.mark.parametrize("login", [("asterisk", "wrong"), ("other", "secret"), ("asterisk", ""), None])
async def test_a_stranger_is_not_let_in(login: tuple[str, str] | None) -> None:
    ear = Ear()
    headers = {"Authorization": aiohttp.encode_basic_auth(*login)} if login else {}
    async with ear.link() as link, aiohttp.ClientSession(headers=headers) as stranger:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await stranger.ws_connect(url(link))
    assert refused.value.status == 401
    assert ear.said == []


@pytest.mark.parametrize("nonsense", ["", "{", "[]", "{}", '{"type":"StasisEnd"}', "null", '{"type":[]}'])
async def test_what_cannot_be_understood_is_counted_and_the_next_event_comes(
    session: aiohttp.ClientSession, nonsense: str
) -> None:
    ear = Ear()
    async with ear.link() as link, session.ws_connect(url(link)) as socket:
        await socket.send_str(nonsense)
        await socket.send_bytes(b"\xff")
        await socket.send_str(MARKER)
        await ear.hear("connected", "ChannelUserevent")
        assert link.misread == 1


async def test_what_cannot_be_understood_is_not_written_down(
    session: aiohttp.ClientSession, capsys: pytest.CaptureFixture[str]
) -> None:
    ear = Ear()
    async with ear.link() as link, session.ws_connect(url(link)) as socket:
        await socket.send_str('{"type":"StasisStart","caller":"+32470998877"}')
        await socket.send_str(MARKER)
        await ear.hear("connected", "ChannelUserevent")
    said = capsys.readouterr()
    assert "32470998877" not in said.out + said.err


async def test_a_newer_connection_replaces_the_older(session: aiohttp.ClientSession) -> None:
    ear = Ear()
    async with ear.link() as link, session.ws_connect(url(link)) as older:
        await ear.hear("connected")
        async with session.ws_connect(url(link)) as newer:
            await ear.hear("connected", "disconnected", "connected")
            assert (await older.receive(timeout=5)).type in (
                aiohttp.WSMsgType.CLOSED,
                aiohttp.WSMsgType.ERROR,
            )
            await newer.send_str(MARKER)
            await ear.hear("connected", "disconnected", "connected", "ChannelUserevent")
        await ear.hear("connected", "disconnected", "connected", "ChannelUserevent", "disconnected")


async def test_a_connection_torn_off_is_a_disconnect(session: aiohttp.ClientSession) -> None:
    ear = Ear()
    async with ear.link() as link:
        await session.ws_connect(url(link))
        await ear.hear("connected")
        await session.close()  # without a closing frame
        await ear.hear("connected", "disconnected")


async def test_closing_the_link_says_so_to_asterisk_and_to_us(session: aiohttp.ClientSession) -> None:
    ear = Ear()
    async with ear.link() as link:
        socket = await session.ws_connect(url(link))
        await ear.hear("connected")
        goodbye = asyncio.create_task(socket.receive(timeout=5))
    assert (await goodbye).type is aiohttp.WSMsgType.CLOSE
    assert ear.words == ["connected", "disconnected"]


async def test_a_second_engine_is_told_that_the_port_is_taken() -> None:
    async with Ear().link() as link:
        with pytest.raises(PortTaken, match=f"127.0.0.1:{link.port} is in use"):
            await Ear().link(link.port).__aenter__()


async def test_a_link_closes_without_asterisk_too() -> None:
    async with Client("http://127.0.0.1:1/ari", "engine", "unused") as client:
        async with silence(client, "engine"):
            closed = True
        assert closed
