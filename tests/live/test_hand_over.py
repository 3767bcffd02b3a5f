"""A caller who is handed over to Asterisk: early media, wrong media, and who ended it."""

import asyncio
from datetime import timedelta

import pytest

from devkit.carrier import Announces, Answers, Mismatches, Refuses, Rings
from tests.lateness import late
from tests.live.conversation import (
    Wire,
    assert_near,
    hear_each_other,
    hears_whole,
    in_conversation,
    more_heard,
)
from tests.live.service import CALLER_HZ, DESTINATION_HZ, Service

ANNOUNCED_HZ = 700


async def test_the_caller_hears_what_a_network_announces_and_a_busy_after_it_branches(
    service: Service,
) -> None:
    engaged = service.destination(Announces(ANNOUNCED_HZ, 1.0, 486))
    colleague = service.destination(Answers())
    busy = [{"ring": colleague}]
    (number,) = service.house.agree([{"ring": {"to": engaged, "busy": busy}}, {"hangup": "failed"}])
    caller = await service.call(number)
    await caller.hears(ANNOUNCED_HZ)
    assert caller.answered is None
    await hear_each_other(caller, await service.network.picked_up(colleague))
    await caller.hang_up()
    record = await service.record(number)
    assert [(leg.to, leg.outcome, leg.sip) for leg in record.legs] == [
        (engaged, "busy", 486),
        (colleague, "taken", 0),
    ]
    assert record.legs[0].ringing is not None  # 183: it was looked for


async def test_a_destination_that_answers_with_media_it_was_not_offered_is_not_connected(
    service: Service,
) -> None:
    odd, colleague = service.destination(Mismatches()), service.destination(Answers())
    (number,) = service.house.agree([{"ring": odd}, {"ring": colleague}])
    caller, _ = await in_conversation(service, number, colleague)
    await caller.hang_up()
    record = await service.record(number)
    assert [(leg.to, leg.outcome, leg.cause, leg.connected is None) for leg in record.legs] == [
        (odd, "failed", 58, True),
        (colleague, "taken", 16, False),
    ]
    assert record.delivered_to == colleague


async def test_each_leg_of_a_ring_has_its_own_instants_and_causes(service: Service) -> None:
    busy = service.destination(Refuses(486, after=0.3))
    rings, answers = service.destination(Rings()), service.destination(Answers(after=0.8))
    (number,) = service.house.agree([{"ring": {"to": [busy, rings, answers]}}])
    caller, _ = await in_conversation(service, number, answers)
    cancelled = await service.cancelled(rings)
    await caller.hang_up()
    record = await service.record(number)
    legs = {leg.to: leg for leg in record.legs}
    assert {to: (leg.outcome, leg.cause, leg.sip) for to, leg in legs.items()} == {
        busy: ("busy", 17, 486),
        rings: ("no_answer", 26, 180),
        answers: ("taken", 16, 0),
    }
    for to, leg in legs.items():
        assert_near(leg.began, (await service.network.arrival(to)).at)
        assert leg.ringing is not None
        assert leg.ringing - leg.began < timedelta(milliseconds=300) + late()
    assert_near(legs[rings].ended, cancelled)
    assert record.connected is not None
    assert record.answered is not None
    assert record.connected - record.answered < timedelta(milliseconds=200) + late()


@pytest.mark.parametrize("who", ["caller", "destination"])
async def test_who_hangs_up_is_in_the_record_to_the_instant(service: Service, wire: Wire, who: str) -> None:
    number, to = service.ringing(Answers())
    caller, destination = await in_conversation(service, number, to)
    first = caller if who == "caller" else destination
    await first.hang_up()
    await asyncio.gather(caller.wait_ended(), destination.wait_ended())
    record = await service.record(number)
    assert (record.outcome, record.ended_by, record.cause) == ("answered", who, 16)
    assert_near(record.answered, await wire.first(destination, "SIP/2.0 200", "INVITE"))
    assert_near(record.ended, await wire.first(first, "BYE", "BYE"))


async def test_a_frozen_engine_changes_nothing_for_the_two(service: Service) -> None:
    number, to = service.ringing(Answers())
    caller, destination = await in_conversation(service, number, to)
    process = service.house.engine.process
    assert process is not None
    process.send_signal(19)  # SIGSTOP
    try:
        await asyncio.gather(more_heard(caller, 1.0), more_heard(destination, 1.0))
        await asyncio.gather(hears_whole(caller, DESTINATION_HZ), hears_whole(destination, CALLER_HZ))
        await destination.hang_up()
        await caller.wait_ended()
    finally:
        process.send_signal(18)  # SIGCONT
    record = await service.record(number)
    assert (record.outcome, record.ended_by) == ("answered", "destination")
