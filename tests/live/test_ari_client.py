"""Commands over real sockets: against a server that behaves badly, and against Asterisk."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web

from devkit.asterisk import Asterisk
from engine.ari.client import Client
from engine.ari.errors import Gone, NoReply, NotReady, Refused, Unavailable
from engine.ari.events import UNUSED
from tests.live.ari import ask

INFO = {
    "system": {"version": "22.10.1"},
    "config": {"name": "engine1"},
    "status": {"startup_time": "2026-11-24T10:00:00.000+0000"},
}
LEG = "PJSIP/+32470998877@trunk"

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serve = Callable[[Answer], Awaitable[Client]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """A client of a server that answers every request as told."""
    runners: list[web.AppRunner] = []
    clients: list[Client] = []

    async def start(answer: Answer) -> Client:
        app = web.Application()
        app.router.add_route("*", "/ari/{what:.*}", answer)
        runners.append(web.AppRunner(app, access_log=None, shutdown_timeout=1))
        await runners[-1].setup()
        await web.TCPSite(runners[-1], "127.0.0.1", 0).start()
        clients.append(Client(f"http://127.0.0.1:{runners[-1].addresses[0][1]}/ari", "engine", "secret"))
        return await clients[-1].__aenter__()

    yield start
    for client in clients:
        await client.__aexit__(None, None, None)
    for runner in runners:
        await runner.cleanup()


async def test_a_command_that_changes_something_is_not_repeated_when_its_reply_is_lost(serve: Serve) -> None:
    heard: list[str] = []

    async def drop(request: web.Request) -> web.StreamResponse:
        heard.append(request.path)
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    client = await serve(drop)
    with pytest.raises(NoReply) as lost:
        await client.channels.set_channel_vars("call", {"CONNECT_TO": LEG})
    assert heard == ["/ari/channels/call/variables"]
    assert "32470998877" not in str(lost.value)
    assert lost.value.__suppress_context__


async def test_who_is_not_there_is_unavailable_and_nothing_was_sent() -> None:
    async with Client("http://127.0.0.1:1/ari", "engine", "secret") as client:
        with pytest.raises(Unavailable) as missing:
            await client.channels.set_channel_vars("call", {"CONNECT_TO": LEG})
    assert not isinstance(missing.value, NoReply)
    assert "32470998877" not in str(missing.value)


async def test_one_waits_for_asterisk_to_have_started(serve: Serve) -> None:
    stages = iter(
        [
            web.Response(status=404, text="<html>Not Found</html>", content_type="text/html"),
            web.json_response({"message": "Asterisk not booted"}, status=503),
            web.json_response(INFO),
        ]
    )

    async def boot(_: web.Request) -> web.StreamResponse:
        return next(stages)

    client = await serve(boot)
    assert (await client.wait_until_ready(5)).version == "22.10.1"
    assert next(stages, None) is None


async def test_one_does_not_wait_longer_than_told() -> None:
    async with Client("http://127.0.0.1:1/ari", "engine", "secret") as client:
        with pytest.raises(NotReady, match=r"not ready after 0.2 s"):
            await client.wait_until_ready(0.2)


async def test_a_wrong_password_is_said_at_once(asterisk: Asterisk) -> None:
    async with Client(asterisk.endpoint.ari_url, "engine", "wrong") as client:
        with pytest.raises(Refused, match=r"password .* ari\.conf"):
            await client.wait_until_ready(60)


async def test_the_password_is_in_no_address(serve: Serve) -> None:
    heard: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        heard.append(str(request.url))
        return web.json_response(INFO)

    await (await serve(answer)).asterisk.get_info()
    assert "secret" not in heard[0]
    assert "api_key" not in heard[0]


@pytest.fixture
async def client(asterisk: Asterisk) -> AsyncIterator[Client]:
    endpoint = asterisk.endpoint
    async with Client(endpoint.ari_url, endpoint.ari_user, endpoint.ari_password) as made:
        yield made


async def test_asterisk_tells_its_version_its_modules_and_its_time(client: Client) -> None:
    info = await client.asterisk.get_info()
    assert info.version.startswith("22.")
    assert info.started < await client.asterisk.ping()
    running = {module.name for module in await client.asterisk.list_modules() if module.running}
    assert {"res_ari.so", "chan_pjsip.so", "app_stasis.so"} <= running


async def test_a_value_is_set_as_it_was_given(client: Client, asterisk: Asterisk) -> None:
    value = "a&b=c d%2F+é;'\""
    await client.asterisk.set_global_var("CALLENGINE_TEST", value)
    path = "/asterisk/variable?variable=CALLENGINE_TEST"
    assert await asyncio.to_thread(ask, asterisk.endpoint, path) == {"value": value}


async def test_what_is_not_there_is_gone(client: Client) -> None:
    with pytest.raises(Gone):
        await client.channels.get("PJSIP/no-such")
    with pytest.raises(Gone):
        await client.playbacks.stop("no-such")
    with pytest.raises(Gone):
        await client.recordings.get_live("../no-such")


async def test_the_application_tells_what_it_holds(client: Client, asterisk: Asterisk) -> None:
    app = await client.applications.get(asterisk.endpoint.app)
    assert app.channel_ids == ()
    await client.applications.filter(asterisk.endpoint.app, UNUSED)


async def test_more_commands_than_connections_are_all_carried_out(client: Client) -> None:
    times = await asyncio.gather(*(client.asterisk.ping() for _ in range(200)))
    assert len(times) == 200
