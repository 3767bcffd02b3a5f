"""A caller is erased while the service runs: no file has the number, and the next call is recorded."""

import asyncio

import asyncpg

from devkit.carrier import Answers
from devkit.phones import shown
from tests.lateness import PATIENCE
from tests.live.service import Service
from tests.live.sinks import Sinks, callengine, canary, files_below

CERTIFIED = (
    "SELECT count(*) FROM erasure_certificate WHERE erasure_id = (SELECT max(erasure_id) FROM erasure)"
)


async def talks_and_hangs_up(service: Service, number: str, who: str) -> None:
    caller = await service.call(number, shown(who))
    await caller.wait_answered()
    await caller.hang_up()
    await caller.wait_ended()


async def files_with(service: Service, who: str) -> list[str]:
    return Sinks(await asyncio.to_thread(files_below, service.house.state)).holding(who)


async def certified(service: Service) -> None:
    """Until it is, with checkpoints that come faster than in real life."""
    con = await asyncpg.connect(service.house.run.database)
    try:
        async with asyncio.timeout(PATIENCE):
            while not await con.fetchval(CERTIFIED):
                await con.execute("CHECKPOINT")
                await asyncio.sleep(0.2)
    finally:
        await con.close()


async def test_a_caller_who_was_erased_is_in_no_file_and_the_next_call_is_recorded(service: Service) -> None:
    number, _ = service.ringing(Answers())
    who = canary()
    await talks_and_hangs_up(service, number, who)
    before = await service.record(number)
    assert before.caller == who
    assert {"journal", "postgres"} <= {path.partition("/")[0] for path in await files_with(service, who)}
    await callengine(service.house, "forget", who, "--reason", "request 17")
    await certified(service)
    assert await files_with(service, who) == []
    after = await service.record(number)
    assert (after.caller, after.withheld, after.talk, after.outcome) == (
        "",
        False,
        before.talk,
        before.outcome,
    )
    await talks_and_hangs_up(service, number, who)
    records = await service.records(number, 2)
    assert sorted(record.caller for record in records) == ["", who]
