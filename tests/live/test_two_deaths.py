"""Engine and Asterisk die together; the next Asterisk lives and dies before the next engine is there."""

import asyncio
from datetime import UTC, datetime, timedelta

from devkit.carrier import Answers
from tests.lateness import late
from tests.live.conversation import in_conversation
from tests.live.fragile import Fragile
from tests.live.service import Service

FIRST_SECONDS = 2.0  # between the death of the first Asterisk and the start of the second


async def test_a_talk_ends_with_its_own_asterisk_and_not_with_the_second(
    service: Service, engine: Fragile
) -> None:
    to = service.destination(Answers())
    talked, other = service.house.agree([{"ring": to}], [{"hangup": "busy"}])
    asterisk = Fragile(service.house.asterisk)
    await in_conversation(service, talked, to)
    await asyncio.gather(engine.end(), asterisk.end())
    died = datetime.now(UTC)
    await asyncio.sleep(FIRST_SECONDS)  # what must not be billed
    await asterisk.start()
    caller = await service.call(other)
    await caller.wait_ended()  # no engine, no fallback
    await asterisk.end()
    await asterisk.start()
    await engine.start()
    record = await service.record(talked)
    assert (record.outcome, record.ended_by) == ("lost", "lost")
    assert record.ended is not None
    assert timedelta(seconds=-2) - late() < record.ended - died < timedelta(seconds=0.5) + late()
