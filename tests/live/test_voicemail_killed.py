"""Messages reach their owners, and are gone then, whatever is killed. KILLS=n: so often."""

import asyncio
import os
import random
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from devkit.audio import RATE, Samples, correlation
from devkit.parts import Part, ended
from storage.records import CallRecord
from tests.lateness import PATIENCE
from tests.live.agreed import new_number
from tests.live.mails import (
    begin_message,
    hang_up_after,
    leave_message,
    mail_to,
    settled,
    speech,
    traces,
    write_owner,
)
from tests.live.service import Service
from tests.live.sinks import callengine
from tests.tiers import first_light

KILLS = int(os.environ.get("KILLS", "5"))
LOST_BY_ASTERISK = 2.1  # s: what it has not written yet when it is killed


async def kill(part: Part) -> None:
    assert part.process is not None
    part.process.send_signal(signal.SIGKILL)
    async with asyncio.timeout(PATIENCE):
        await ended(part.process)


@asynccontextmanager
async def killed(part: Part) -> AsyncIterator[None]:
    """It is away while the block runs."""
    await kill(part)
    try:
        yield
    finally:
        await part.start()


async def kill_again_and_again(part: Part, times: int, dice: random.Random) -> None:
    """Kill it at any moment, its own start included; afterwards it runs."""
    for _ in range(times):
        await asyncio.sleep(dice.expovariate(2.0))  # a random moment
        await kill(part)
        starting = asyncio.create_task(part.start())
        await asyncio.wait({starting}, timeout=dice.uniform(0.2, 3))
        starting.cancel()
        with suppress(asyncio.CancelledError):
            await starting
    await kill(part)
    await part.start()


@pytest.mark.parametrize("kills", first_light(2, KILLS))
async def test_a_worker_killed_at_random_loses_no_message_and_keeps_none(
    service: Service, kills: int
) -> None:
    house, began, seed = service.house, time.time(), random.randrange(10**6)
    print("seed", seed)
    texts = {new_number(): speech(2, 20 + k) for k in range(2 * kills)}
    owners = {number: write_owner(house, f"steady-{number[1:]}") for number in texts}
    route = [{"voicemail": "welcome"}]
    house.write({number: {"route": route, "owner": f"steady-{number[1:]}"} for number in texts})
    killing = asyncio.create_task(kill_again_and_again(house.worker, kills, random.Random(seed)))
    await asyncio.gather(*(later(k / 2, service, *call) for k, call in enumerate(texts.items())))
    await killing
    for number, said in texts.items():
        found = await mail_to(house, owners[number], seconds=2 * PATIENCE)
        assert {mail.raw for mail in found} == {found[0].raw}, "a repeated mail is the same mail"
        assert correlation(said, found[0].sound) > 0.95
        await settled(service, number, "destroyed/destroyed", seconds=2 * PATIENCE)
        assert traces(house, said, [found[0].files[0].get_content()], began) == []
    await callengine(house, "audit")


async def later(seconds: float, service: Service, number: str, said: Samples) -> None:
    await asyncio.sleep(seconds)  # one caller after the other
    await leave_message(service, number, said)


@pytest.mark.parametrize("back", first_light("after the hang-up", "before the hang-up"))
async def test_a_message_is_whole_though_the_engine_is_killed_while_it_is_spoken(
    service: Service, back: str
) -> None:
    house, said = service.house, speech(5, 7)
    owner = f"steadfast-{back.partition(' ')[0]}"
    address = write_owner(house, owner)
    (number,) = house.agree([{"voicemail": "welcome"}], owner=owner)
    caller = await begin_message(service, number, said)
    await asyncio.sleep(2)  # so much has been said
    async with killed(house.engine):
        if back.startswith("after"):
            await hang_up_after(caller)
            await caller.wait_ended()
    if caller.ending is None:
        await hang_up_after(caller)
    (mail,) = await mail_to(house, address)
    assert correlation(said, mail.sound) > 0.95
    assert ended_as(await service.record(number)) == ("voicemail", "caller")
    await settled(service, number, "destroyed/destroyed")


async def test_what_was_spoken_before_asterisk_was_killed_is_mailed(service: Service) -> None:
    house, said = service.house, speech(6, 11)
    address = write_owner(house, "stoic")
    (number,) = house.agree([{"voicemail": "welcome"}], owner="stoic")
    await begin_message(service, number, said)
    await asyncio.sleep(spoken := 5)  # so much has been said
    async with killed(house.asterisk):
        pass
    (mail,) = await mail_to(house, address, seconds=2 * PATIENCE)
    assert len(mail.sound) / RATE >= spoken - LOST_BY_ASTERISK
    assert correlation(said[: len(mail.sound) - RATE // 2], mail.sound) > 0.95
    assert ended_as(await service.record(number)) == ("voicemail", "lost")
    await settled(service, number, "destroyed/destroyed")


def ended_as(record: CallRecord) -> tuple[str, str]:
    return record.outcome, record.ended_by
