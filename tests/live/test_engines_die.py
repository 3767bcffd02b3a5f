"""One engine after the other dies, each before it has served a caller, as if that call killed them."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import pytest

from devkit.carrier import Answers
from devkit.parts import PartTrouble, ended
from engine.ari.waiting import RETURN_SECONDS
from tests.lateness import late
from tests.live.fragile import Fragile
from tests.live.service import House, Service, until

CALLERS = 8
ROUTE = [{"voicemail": {"greeting": "welcome"}}]
BEFORE_THE_ANSWER = "ari.before POST /channels/{channelId}/answer"


@asynccontextmanager
async def dying_engines(house: House) -> AsyncIterator[None]:
    """Each engine is followed by the next as soon as it has died; all of them die before an answer."""
    engine, usual = house.engine, house.engine.environment
    engine.environment = lambda: {**usual(), "CALLENGINE_FAILPOINT": BEFORE_THE_ANSWER}

    async def start_again_and_again() -> None:
        while engine.process is not None:
            with suppress(PartTrouble):  # it has died before it was ready
                await engine.start()
            await ended(engine.process)

    dying = asyncio.create_task(start_again_and_again())
    try:
        yield
    finally:
        dying.cancel()
        await asyncio.wait({dying})
        engine.environment = usual


@pytest.mark.timeout(120)
async def test_callers_whose_engines_die_one_after_the_other_reach_the_fallback(
    service: Service, engine: Fragile
) -> None:
    """Each engine lets them wait while it reads their routes, and dies when it answers the first of them."""
    fallback = service.destination(Answers())
    numbers = service.house.agree(*[ROUTE] * CALLERS, fallback=fallback)
    await until(lambda: (service.house.endpoint.etc / "fallback.conf").read_text().count(fallback) >= CALLERS)
    await engine.end(signal.SIGTERM)
    callers = [await service.call(number) for number in numbers]  # an engine is expected back
    async with dying_engines(service.house):
        last = await service.network.arrival(fallback, CALLERS)
        for caller in callers:
            await caller.wait_answered()
    assert last.at - callers[0].began < timedelta(seconds=RETURN_SECONDS + 1) + late()
    await engine.start()
    for caller in callers:
        await caller.hang_up()
        await caller.wait_ended()
    for number in numbers:
        assert (await service.record(number)).delivered_to == fallback
