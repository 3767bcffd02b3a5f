"""The first call: to the new number, by SIP, through dialplan, engine, journal, worker and database."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import aiohttp
import asyncpg

from cli.quickstart.own_call import way_in
from cli.quickstart.wish import QuickstartError
from config.settings import Settings
from engine.ari.client import Client
from engine.ari.errors import AriError

READY_SECONDS, RECORD_SECONDS = 90, 60
POLL_SECONDS = 0.5
ETC = Path("/etc/asterisk")
FIRST = "SELECT answered, outcome FROM call WHERE number = $1 AND began >= $2 ORDER BY began LIMIT 1"


@dataclass(frozen=True, slots=True)
class Result:
    """What became of the call. `answered`: whether somebody, or the recorder of messages, took it."""

    outcome: str
    answered: bool


async def call(settings: Settings, number: str, sip: str) -> Result:
    """Call the number by SIP at `sip`, this host's own address; its record. Raises QuickstartError."""
    await wait_ready(settings)
    began = datetime.now(UTC)
    ari = settings.ari
    try:
        async with (
            Client(f"{ari.url}/ari", ari.user, ari.password.get_secret_value()) as client,
            way_in(settings.asterisk.etc_dir or ETC, client, sip) as channel,
        ):
            await client.channels.originate(
                channel.format(number=number), context="test", extension="s", priority=1
            )
            return await record_of(settings, number, began)
    except (AriError, OSError) as error:
        raise QuickstartError(f"the test call could not be placed: {error}; callengine doctor") from None


async def wait_ready(settings: Settings) -> None:
    """Wait until engine and worker are ready."""
    http = settings.http
    for name, port in (("engine", http.engine_port), ("worker", http.worker_port)):
        if not await succeeded(partial(is_ready, f"http://{http.host}:{port}/ready"), READY_SECONDS):
            what = f"the {name} is not ready after {READY_SECONDS} s"
            raise QuickstartError(f"{what}; callengine doctor says why")


async def succeeded[T](ask: Callable[[], Awaitable[T | None]], seconds: float) -> T | None:
    """Ask again and again; the first answer that is true, None if there is none in time."""
    deadline = time.monotonic() + seconds
    answer = await ask()
    while not answer and time.monotonic() < deadline:
        await asyncio.sleep(POLL_SECONDS)
        answer = await ask()
    return answer


async def is_ready(url: str) -> bool:
    try:
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


async def record_of(settings: Settings, number: str, began: datetime) -> Result:
    """The call record, once the worker has written it."""
    con = await asyncpg.connect(settings.database.get_secret_value(), timeout=10)
    try:
        row = await succeeded(partial(con.fetchrow, FIRST, number, began), RECORD_SECONDS)
    finally:
        await con.close(timeout=5)
    if row is None:
        raise QuickstartError("the test call has no record; callengine doctor says why")
    return Result(row["outcome"], row["answered"] is not None)
