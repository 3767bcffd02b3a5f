"""What a running process answers over HTTP, on a free loopback port."""

import asyncio
from contextlib import suppress

import aiohttp
import pytest
from structlog.testing import capture_logs

from engine.metrics import EngineMetrics
from process.connections import Limits
from process.health import CannotServe, health, keep_serving
from process.metrics import Metrics


async def get(url: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status, await answer.text()


async def test_port_0_takes_a_free_port_and_tells_it() -> None:
    async with (
        health("127.0.0.1", 0, Metrics(), list) as one,
        health("127.0.0.1", 0, Metrics(), list) as other,
    ):
        assert one != other
        assert one.startswith("http://127.0.0.1:")
        assert await get(f"{one}/live") == (200, '{"live": true}')


async def test_ready_says_why_not_until_it_is() -> None:
    reasons = ["Asterisk is not connected", "the routing folder has errors"]
    async with health("127.0.0.1", 0, Metrics(), lambda: reasons) as url:
        assert await get(f"{url}/ready") == (
            503,
            '{"ready": false, "reasons": ["Asterisk is not connected", "the routing folder has errors"], '
            '"warnings": []}',
        )
        assert (await get(f"{url}/live"))[0] == 200, "not ready is no reason to be restarted"
        reasons.clear()
        assert await get(f"{url}/ready") == (200, '{"ready": true, "reasons": [], "warnings": []}')


async def test_a_warning_is_told_by_a_process_that_is_ready() -> None:
    async with health("127.0.0.1", 0, Metrics(), list, lambda: ["the disk is nearly full"]) as url:
        assert await get(f"{url}/ready") == (
            200,
            '{"ready": true, "reasons": [], "warnings": ["the disk is nearly full"]}',
        )


async def test_metrics_are_those_of_this_process() -> None:
    metrics = EngineMetrics()
    metrics.calls_live.set(3)
    async with health("127.0.0.1", 0, metrics, list) as url:
        status, text = await get(f"{url}/metrics")
    assert status == 200
    assert "\ncallengine_calls_live 3.0\n" in text


async def test_a_port_that_is_taken_is_said_with_the_remedy() -> None:
    async with health("127.0.0.1", 0, Metrics(), list) as url:
        port = int(url.rpartition(":")[2])
        with pytest.raises(CannotServe, match=rf"^127\.0\.0\.1:{port}: .*choose another address in \[http\]"):
            async with health("127.0.0.1", port, Metrics(), list):
                pass


async def test_a_port_that_is_taken_is_had_as_soon_as_it_is_free() -> None:
    """Calls do not wait for it, so the engine does."""
    async with health("127.0.0.1", 0, Metrics(), list) as url:
        port = int(url.rpartition(":")[2])
        with capture_logs() as told:
            serving = asyncio.create_task(
                keep_serving(lambda: health("127.0.0.1", port, Metrics(), lambda: ["waits"]), 0.001)
            )
            async with asyncio.timeout(5):
                while len(told) < 2:  # noqa: ASYNC110 - what is waited for is a line of the log
                    await asyncio.sleep(0.001)
        assert {line["event"] for line in told} == {"health_port_taken"}
        assert (await get(f"{url}/ready"))[0] == 200
    async with asyncio.timeout(5):
        while await answers(url) is None:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.001)
    assert (await get(f"{url}/ready"))[0] == 503
    serving.cancel()
    await asyncio.wait({serving})


async def answers(url: str) -> int | None:
    try:
        return (await get(f"{url}/ready"))[0]
    except aiohttp.ClientConnectorError:
        return None


async def test_an_error_of_the_process_is_not_taken_for_one_of_the_port() -> None:
    with pytest.raises(OSError, match="disk"):
        async with health("127.0.0.1", 0, Metrics(), list):
            raise OSError("disk")


async def open_idle(url: str, connections: int) -> list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Clients that connect and ask nothing."""
    port = int(url.rpartition(":")[2])
    return [await asyncio.open_connection("127.0.0.1", port) for _ in range(connections)]


async def test_idle_connections_keep_nobody_out_and_the_oldest_are_ended() -> None:
    async with health("127.0.0.1", 0, Metrics(), list, limits=Limits(total=5, seconds=3600)) as url:
        idle = await open_idle(url, 20)
        assert (await get(f"{url}/live"))[0] == 200
        for reader, _ in idle[:16]:
            await ended(reader)
        for _, writer in idle:
            writer.transport.abort()


@pytest.mark.parametrize("part", [b"", b"GET /live HTTP/1.1\r\nHost: x\r\nX-Slow: "])
async def test_a_question_that_never_comes_is_not_waited_for(part: bytes) -> None:
    async with health("127.0.0.1", 0, Metrics(), list, limits=Limits(total=5, seconds=0.1)) as url:
        ((reader, writer),) = await open_idle(url, 1)
        writer.write(part)
        await ended(reader)
        writer.transport.abort()


async def ended(reader: asyncio.StreamReader) -> None:
    """Until the server has ended it. Raises TimeoutError."""
    with suppress(ConnectionError):
        await asyncio.wait_for(reader.read(), 20)


async def test_a_connection_is_for_one_question_and_the_client_is_told_so() -> None:
    async with health("127.0.0.1", 0, Metrics(), list) as url:
        async with aiohttp.ClientSession() as session, session.get(f"{url}/live") as answer:
            assert answer.headers["Connection"] == "close"
        async with aiohttp.ClientSession() as session, session.get(f"{url}/absent") as answer:
            assert (answer.status, answer.headers["Connection"]) == (404, "close")


async def test_nothing_listens_any_more_afterwards() -> None:
    async with health("127.0.0.1", 0, Metrics(), list) as url:
        pass
    with pytest.raises(aiohttp.ClientConnectorError):
        await get(f"{url}/live")
