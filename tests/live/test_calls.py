"""Answered calls, from INVITE to record: what both ends hear, and when what happened."""

import asyncio
from datetime import timedelta

import numpy as np
import pytest

from devkit.audio import Samples, level, loudness
from devkit.carrier import Answers, Dead, Refuses, Rings
from devkit.handset import Handset
from devkit.phones import shown
from tests.lateness import PATIENCE, late
from tests.live.agreed import PROMPTS, new_caller
from tests.live.conversation import Wire, assert_near, hears_whole, in_conversation
from tests.live.service import CALLER_HZ, DESTINATION_HZ, Service, until

ABSENT = 0.01  # of a tone of 0.3: 30 dB below it; A-law itself is 38 dB below
PUBLISHED = 0.141  # a tone of any loudness, as a prompt: -20 dBFS


def others(sound: Samples, hz: float) -> float:
    """The loudest tone of the telephone band that is not `hz`."""
    return max(level(sound, other) for other in range(200, 3500, 20) if abs(other - hz) > 15)


def rest(sound: Samples, hz: float) -> float:
    """How loud (root mean square) everything is but the tone `hz`."""
    return float(np.sqrt(max(loudness(sound) ** 2 - level(sound, hz) ** 2 / 2, 0)))


async def test_both_ends_hear_the_others_tone_and_nothing_else(service: Service) -> None:
    to = service.destination(Answers())
    (number,) = service.house.agree([{"announce": "welcome"}, {"ring": to}])
    caller, destination = await in_conversation(service, number, to)
    for end, hz in ((caller, DESTINATION_HZ), (destination, CALLER_HZ)):
        await heard_alone(end, hz)


async def heard_alone(end: Handset, hz: float) -> None:
    """Wait for 0.4 s of that tone as it was played, and nothing else: on a busy machine a telephone leaves a
    gap now and then, and a gap is noise."""
    async with asyncio.timeout(PATIENCE):
        while True:
            heard = await hears_whole(end, hz)
            if max(others(heard, hz), rest(heard, hz)) < ABSENT:
                return


async def test_the_record_says_when_what_happened_and_nothing_twice(service: Service, wire: Wire) -> None:
    who = new_caller()
    number, to = service.ringing(Answers(after=0.3))
    caller = await service.call(number, shown(who))
    destination = await service.network.picked_up(to)
    await caller.wait_answered()
    await asyncio.sleep(0.3)  # talk a little: what is measured below has a length
    await caller.hang_up()
    await destination.wait_ended()
    record = await service.record(number)
    assert (record.outcome, record.ended_by, record.cause) == ("answered", "caller", 16)
    assert (record.caller, record.withheld, record.owner) == (who, False, "acme")
    assert record.delivered_to == to
    assert_near(record.began, await wire.first(caller, "INVITE", "INVITE"))
    assert_near(record.answered, await wire.first(destination, "SIP/2.0 200", "INVITE"))
    assert_near(record.answered, await wire.first(caller, "SIP/2.0 200", "INVITE"))
    assert_near(record.ended, await wire.first(caller, "BYE", "BYE"))
    (leg,) = record.legs
    assert (leg.to, leg.outcome, leg.cause) == (to, "taken", 16)
    assert_near(leg.began, await wire.first(destination, "INVITE", "INVITE"))
    assert_near(leg.ringing, await wire.first(destination, "SIP/2.0 180", "INVITE"))
    assert_near(leg.answered, await wire.first(destination, "SIP/2.0 200", "INVITE"))
    assert_near(leg.ended, await wire.first(destination, "BYE", "BYE"))


async def test_a_prompt_is_heard_before_the_answer_and_answers_nothing(service: Service, wire: Wire) -> None:
    to = service.destination(Rings())
    (number,) = service.house.agree([{"announce": "welcome"}, {"ring": to}])
    caller = await service.call(number)
    assert await caller.hears(PROMPTS["welcome"]) == pytest.approx(PUBLISHED, abs=0.03)
    arrival = await service.network.arrival(to)
    began = await wire.first(caller, "INVITE", "INVITE")
    assert arrival.at - began > timedelta(seconds=0.48)  # to the prompt's end, its last frame of 20 ms
    assert caller.answered is None
    await caller.hang_up()
    assert (await service.record(number)).answered is None


async def test_the_caller_hears_it_ring_when_a_destination_rings_and_not_before(service: Service) -> None:
    silent, ringing = service.destination(Dead()), service.destination(Rings())
    numbers = service.house.agree([{"ring": silent}], [{"ring": ringing}])
    first, second = [await service.call(number) for number in numbers]
    assert_near(await second.wait_ringing(), (await service.network.arrival(ringing)).at)
    await service.network.arrival(silent)
    with pytest.raises(TimeoutError):
        await first.wait_ringing(seconds=0.2)
    for caller in (first, second):
        await caller.hang_up()


async def test_of_three_destinations_the_first_to_answer_wins_and_the_others_are_hung_up_at_once(
    service: Service, wire: Wire
) -> None:
    quick = service.destination(Answers(after=0.4))
    slow, mute = service.destination(Rings()), service.destination(Rings())
    (number,) = service.house.agree([{"ring": {"to": [slow, quick, mute]}}])
    caller = await service.call(number)
    winner = await service.network.picked_up(quick)
    cancelled = [await service.cancelled(loser) for loser in (slow, mute)]
    answered = await wire.first(winner, "SIP/2.0 200", "INVITE")
    assert max(cancelled) - answered < timedelta(milliseconds=300) + late()
    await caller.hears(DESTINATION_HZ)
    await caller.hang_up()
    record = await service.record(number)
    assert record.delivered_to == quick
    assert {leg.to: leg.outcome for leg in record.legs} == {
        slow: "no_answer",
        quick: "taken",
        mute: "no_answer",
    }


async def test_of_destinations_that_answer_at_the_same_moment_one_talks_and_the_others_are_hung_up(
    service: Service,
) -> None:
    to = [service.destination(Answers(after=0.3, says=(600 + 200 * n,))) for n in range(3)]
    (number,) = service.house.agree([{"ring": {"to": to}}])
    caller = await service.call(number)
    ends = [await service.network.picked_up(destination) for destination in to]
    await until(lambda: sum(end.ending is None for end in ends) == 1)
    (talking,) = (n for n, end in enumerate(ends) if end.ending is None)
    await asyncio.gather(caller.hears(600 + 200 * talking), ends[talking].hears(CALLER_HZ))
    await heard_alone(caller, 600 + 200 * talking)
    await caller.hang_up()
    record = await service.record(number)
    assert record.delivered_to == to[talking]
    assert [leg.to for leg in record.legs if leg.outcome == "taken"] == [to[talking]]


async def test_a_branch_leads_on_and_every_destination_tried_has_its_leg(service: Service) -> None:
    engaged, colleague = service.destination(Refuses(486)), service.destination(Answers())
    busy = [{"announce": "sorry"}, {"ring": colleague}]
    (number,) = service.house.agree([{"ring": {"to": engaged, "busy": busy}}, {"hangup": "failed"}])
    caller, _ = await in_conversation(service, number, colleague)
    await caller.hang_up()
    record = await service.record(number)
    assert (record.outcome, record.delivered_to) == ("answered", colleague)
    assert [(leg.to, leg.outcome) for leg in record.legs] == [(engaged, "busy"), (colleague, "taken")]
