"""Many calls in the same moment, each looked at for itself."""

import asyncio
from datetime import UTC, datetime

import pytest

from devkit.carrier import Answers, Refuses
from devkit.phones import shown
from storage.records import CallRecord
from tests.live.agreed import new_caller, new_destination
from tests.live.service import Service
from tests.tiers import first_light

MOST = 60
PATIENCE = 40  # s, for 120 telephones in one process on a busy machine; the whole takes 5 s on an idle one
# 20 Hz apart: in the 0.1 s that a tone is measured by, a neighbour is exactly not there.
CALLERS_HZ = [500 + 20 * n for n in range(MOST)]
DESTINATIONS_HZ = [1900 + 20 * n for n in range(MOST)]


@pytest.mark.parametrize("calls", first_light(20, MOST))
async def test_many_calls_at_once_have_their_own_sound_and_their_own_record(
    service: Service, calls: int
) -> None:
    destinations = [new_destination() for _ in range(calls)]
    callers = [new_caller() for _ in range(calls)]
    numbers = service.house.agree(*([{"ring": to}] for to in destinations))
    for to, hz in zip(destinations, DESTINATIONS_HZ, strict=False):
        service.network.behave(to, Answers(says=(hz,)))
    began = datetime.now(UTC)
    await asyncio.gather(
        *(conversation(service, numbers[n], callers[n], destinations[n], n) for n in range(calls))
    )
    records = await service.records(None, calls, since=began)
    assert sorted(map(told, records)) == sorted(
        (number, caller, to, "answered", "caller", [(to, "taken")])
        for number, caller, to in zip(numbers, callers, destinations, strict=True)
    )


async def conversation(service: Service, number: str, who: str, to: str, n: int) -> None:
    """One call, from INVITE to hang-up; each end hears the other end's own tone."""
    caller = await service.call(number, shown(who), says=(CALLERS_HZ[n],))
    destination = await service.network.picked_up(to, seconds=PATIENCE)
    await asyncio.gather(
        caller.hears(DESTINATIONS_HZ[n], seconds=PATIENCE), destination.hears(CALLERS_HZ[n], seconds=PATIENCE)
    )
    await caller.hang_up()
    await destination.wait_ended(seconds=PATIENCE)


@pytest.mark.parametrize("callers", first_light(15, 40))
async def test_callers_whose_first_destination_is_busy_all_hear_the_second(
    service: Service, callers: int
) -> None:
    """They come at once, so that Asterisk takes its time for what was of the first."""
    busy, answers = service.destination(Refuses(486)), service.destination(Answers(after=0.1, says=(600,)))
    (number,) = service.house.agree([{"ring": {"to": busy, "busy": [{"ring": answers}]}}])

    async def hears_the_second() -> None:
        caller = await service.call(number)
        await caller.hears(600, seconds=PATIENCE)
        await caller.hang_up()
        await caller.wait_ended(seconds=PATIENCE)

    await asyncio.gather(*(hears_the_second() for _ in range(callers)))
    records = await service.records(number, callers)
    assert {(told(record)[2], record.outcome, len(record.legs)) for record in records} == {
        (answers, "answered", 2)
    }


def told(record: CallRecord) -> tuple[str, str, str, str, str, list[tuple[str, str]]]:
    legs = [(leg.to, leg.outcome) for leg in record.legs]
    return record.number, record.caller, record.delivered_to, record.outcome, record.ended_by, legs
