"""PostgreSQL away under calls: no caller notices, and no record is lost.

The outage lasts as long as the calls take; OUTAGE_SECONDS=60 makes it last at least that long.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from statistics import median

from devkit.carrier import Answers, Refuses
from devkit.parts import ended
from storage.records import CallRecord
from tests.lateness import late
from tests.live.health import metric, readiness
from tests.live.service import DESTINATION_HZ, House, Service, until
from tests.live.sip import Agent, Call

CALLS = 30
OUTAGE_SECONDS = float(os.environ.get("OUTAGE_SECONDS", "0"))


@asynccontextmanager
async def without_database(house: House) -> AsyncIterator[None]:
    """PostgreSQL is stopped while the block runs."""
    assert house.postgres.process is not None
    house.postgres.terminate()
    await ended(house.postgres.process)
    began = time.monotonic()
    try:
        yield
        await asyncio.sleep(OUTAGE_SECONDS - (time.monotonic() - began))  # as asked for
    finally:
        await house.postgres.start()


async def setup_seconds(service: Service, number: str, to: str) -> list[float]:
    """Calls one after the other, refused by the destination: from each one's INVITE to the destination's."""
    took, before = [], sum(arrival.number == to for arrival in service.network.arrivals)
    with Agent() as telephone:
        for nth in range(1, CALLS + 1):
            call, sent = Call(telephone, service.house.run.sip, number), datetime.now(UTC)
            call.invite()
            arrival = await service.network.arrival(to, before + nth)
            took.append((arrival.at - sent).total_seconds())
            assert await asyncio.to_thread(call.final) == 486
    return took


def backlog(house: House) -> float:
    """Bytes of the journal that the worker has not brought to PostgreSQL."""
    return metric(house.worker.health, "drain_backlog_bytes")


async def talk(service: Service, number: str) -> None:
    caller = await service.call(number)
    await caller.hears(DESTINATION_HZ)
    await caller.hang_up()


def is_whole(record: CallRecord) -> bool:
    """Whether a record of a call that one destination refused says all there is to say."""
    (leg,) = record.legs
    return bool(
        (record.outcome, record.ended_by, record.cause, leg.outcome) == ("busy", "engine", 17, "busy")
        and record.ended
        and leg.ended
        and record.began <= leg.began <= leg.ended <= record.ended
    )


async def test_calls_do_not_notice_that_the_database_is_away(service: Service) -> None:
    house, busy = service.house, service.destination(Refuses(486))
    worker = house.worker.process
    refused, answered = house.agree([{"ring": busy}], [{"ring": service.destination(Answers(0.1))}])
    before = await setup_seconds(service, refused, busy)
    async with without_database(house):
        during = await setup_seconds(service, refused, busy)
        await talk(service, answered)
        await until(lambda: readiness(house.worker.health) == 503)
        assert readiness(house.engine.health) == 200
        assert backlog(house) > 0
        (late_number,) = house.agree([{"ring": service.destination(Answers(0.1))}])
        await talk(service, late_number)
    after = await setup_seconds(service, refused, busy)
    # Measured: 5.0 ms before, 3.6 during, 3.5 after (medians). A wait for the database would be seconds.
    waited = late().total_seconds()
    assert median(during) < 2 * max(median(before), median(after)) + waited, (before, during, after)
    assert max(during) < 3 + waited
    records = await service.records(refused, 3 * CALLS)
    assert len(records) == 3 * CALLS
    assert [record for record in records if not is_whole(record)] == []
    for number in (answered, late_number):
        record = await service.record(number)
        assert (record.outcome, record.ended_by) == ("answered", "caller")
        assert record.talk.total_seconds() > 0.1
    await until(lambda: readiness(house.worker.health) == 200 and backlog(house) == 0)
    assert worker is not None
    assert worker.poll() is None  # it is the same one that has waited, not its successor
