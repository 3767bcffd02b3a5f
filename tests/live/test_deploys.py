"""The engine is restarted under calls, as at every deploy: their records are as true as without."""

import asyncio
import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest

from devkit.carrier import Answers, Refuses
from devkit.handset import Handset
from devkit.phones import shown
from tests.lateness import late
from tests.live.agreed import new_caller
from tests.live.conversation import Wire
from tests.live.fragile import Fragile, seems_alive
from tests.live.service import DESTINATION_HZ, Service
from tests.live.sip import Agent, Call
from tests.tiers import first_light

CALLS_PER_SECOND = 8
SECONDS_BETWEEN = 2.0  # restarts
AROUND = (-0.2, 3.0)  # s, before and after SIGTERM: a restart takes some 2.5 s here
# All telephones are in this process, and late by themselves when the machine is busy.
LATE = timedelta(seconds=0.2)
PATIENCE = 40  # s, for 40 telephones in one process on a busy machine


class Callers:
    """Somebody new calls eight times a second, and waits for the end of the call."""

    def __init__(self, sip: str, number: str) -> None:
        self.called: list[str] = []
        self.over = False
        self._to = sip, number

    def run(self) -> None:
        """Until it is over, and every call has ended. Blocks."""
        with Agent() as agent:
            calls = []
            while not self.over:
                self.called.append(new_caller())
                calls.append(Call(agent, *self._to, f"<sip:{self.called[-1]}@caller.example>").invite())
                time.sleep(1 / CALLS_PER_SECOND)
            for call in calls:
                call.final()


@pytest.mark.parametrize("restarts", first_light(1, 3))
async def test_no_record_is_without_its_callers_number(
    service: Service, engine: Fragile, restarts: int
) -> None:
    busy = service.destination(Refuses(486))
    (number,) = service.house.agree([{"announce": "welcome"}, {"ring": busy}])
    callers = Callers(service.house.run.sip, number)
    with ThreadPoolExecutor(1) as pool:
        calling = asyncio.get_running_loop().run_in_executor(pool, callers.run)
        for _ in range(restarts):
            await asyncio.sleep(SECONDS_BETWEEN)  # in which calls come in
            await engine.end(signal.SIGTERM)
            async with seems_alive(service):
                await engine.start()
        await asyncio.sleep(SECONDS_BETWEEN)  # in which calls come in
        callers.over = True
        await calling
    records = await service.records(number, len(callers.called))
    assert sorted(record.caller for record in records) == sorted(callers.called)


@pytest.mark.alone
@pytest.mark.parametrize("talks", first_light(8, 20))
async def test_who_hangs_up_meanwhile_is_billed_to_the_instant(
    service: Service, engine: Fragile, wire: Wire, talks: int
) -> None:
    number, _ = service.ringing(Answers())
    whom = [new_caller() for _ in range(talks)]
    callers = [await service.call(number, shown(who)) for who in whom]
    await asyncio.gather(*(caller.hears(DESTINATION_HZ, PATIENCE) for caller in callers))
    goodbyes = [
        asyncio.create_task(hang_up_after(caller, random.uniform(0, AROUND[1] - AROUND[0])))
        for caller in callers
    ]
    await asyncio.sleep(-AROUND[0])  # some hang up before
    await engine.end(signal.SIGTERM)
    await engine.start()
    await asyncio.gather(*goodbyes)
    records = {record.caller: record for record in await service.records(number, talks)}
    assert {(record.outcome, record.ended_by) for record in records.values()} == {("answered", "caller")}
    for who, caller in zip(whom, callers, strict=True):
        assert_true(records[who].answered, await wire.first(caller, "SIP/2.0 200", "INVITE"))
        assert_true(records[who].ended, await wire.first(caller, "BYE", "BYE"))
    assert len(records) == talks


def assert_true(recorded: datetime | None, seen: datetime) -> None:
    assert recorded is not None
    assert abs(recorded - seen) < LATE + late(), f"{(recorded - seen).total_seconds():+.3f} s"


async def hang_up_after(caller: Handset, seconds: float) -> None:
    await asyncio.sleep(seconds)  # a random moment
    await caller.hang_up()
    await caller.wait_ended(PATIENCE)
