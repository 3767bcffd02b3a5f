"""Calls outlive the engine: killed or stopped, the next one takes them over where they were."""

import asyncio
import os
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from devkit.audio import RATE, tone, write_wav
from devkit.carrier import Answers, Refuses, Rings
from devkit.handset import Handset
from storage.records import CallRecord
from tests.lateness import late
from tests.live.agreed import PROMPTS, new_destination
from tests.live.ari import ask
from tests.live.conversation import Wire, assert_near, hear_each_other, hears_whole, in_conversation
from tests.live.fragile import Fragile, away, seem_alive, seems_alive
from tests.live.service import CALLER_HZ, DESTINATION_HZ, House, Service, until
from tests.tiers import first_light

TO, FALLBACK = new_destination(), new_destination()
TOGETHER_AWAY_SECONDS = float(os.environ.get("TOGETHER_AWAY_SECONDS", "3"))
ENDS = pytest.mark.parametrize("how", first_light(signal.SIGKILL, signal.SIGTERM), ids=["killed", "stopped"])


@pytest.fixture(scope="module")
def plain(house: House) -> Callable[[], str]:
    """Numbers that ring TO, one for each test."""
    numbers = iter(house.agree(*[[{"ring": TO}]] * 20))
    return lambda: next(numbers)


async def still_talking(caller: Handset, destination: Handset) -> None:
    """Both hear the other, from now on."""
    await asyncio.gather(hears_whole(caller, DESTINATION_HZ), hears_whole(destination, CALLER_HZ))


def told(record: CallRecord) -> tuple[str, str, list[str]]:
    return record.outcome, record.ended_by, [leg.outcome for leg in record.legs]


@ENDS
async def test_a_conversation_goes_on_and_ends_in_the_hands_of_the_next_engine(
    service: Service, plain: Callable[[], str], engine: Fragile, wire: Wire, how: signal.Signals
) -> None:
    service.network.behave(TO, Answers())
    caller, destination = await in_conversation(service, number := plain(), TO)
    await engine.end(how)
    await still_talking(caller, destination)
    await engine.start()
    await still_talking(caller, destination)
    await caller.hang_up()
    await destination.wait_ended()
    record = await service.record(number)
    assert told(record) == ("answered", "caller", ["taken"])
    assert_near(record.answered, await wire.first(destination, "SIP/2.0 200", "INVITE"))
    assert_near(record.ended, await wire.first(caller, "BYE", "BYE"))


async def test_a_conversation_outlives_two_engines(
    service: Service, plain: Callable[[], str], engine: Fragile, wire: Wire
) -> None:
    service.network.behave(TO, Answers())
    caller, destination = await in_conversation(service, number := plain(), TO)
    for _ in range(2):
        await engine.end()
        await engine.start()
    await still_talking(caller, destination)
    await destination.hang_up()
    await caller.wait_ended()
    record = await service.record(number)
    assert told(record) == ("answered", "destination", ["taken"])
    assert_near(record.answered, await wire.first(destination, "SIP/2.0 200", "INVITE"))
    assert_near(record.ended, await wire.first(destination, "BYE", "BYE"))


@pytest.mark.parametrize("who", ["caller", "destination"])
async def test_who_hung_up_while_no_engine_was_there_ended_the_call_at_that_moment(
    service: Service, plain: Callable[[], str], engine: Fragile, wire: Wire, who: str
) -> None:
    service.network.behave(TO, Answers())
    caller, destination = await in_conversation(service, number := plain(), TO)
    first, last = (caller, destination) if who == "caller" else (destination, caller)
    await engine.end()
    await first.hang_up()
    await first.wait_ended()
    await last.wait_ended()  # nobody had to tell it
    await engine.start()
    record = await service.record(number)
    assert told(record) == ("answered", who, ["taken"])
    assert_near(record.answered, await wire.first(destination, "SIP/2.0 200", "INVITE"))
    assert_near(record.ended, await wire.first(first, "BYE", "BYE"))


async def test_a_call_that_ended_whole_while_no_engine_was_there_has_its_exact_record(
    service: Service, plain: Callable[[], str], engine: Fragile, wire: Wire
) -> None:
    service.network.behave(TO, Answers())
    caller, destination = await in_conversation(service, number := plain(), TO)
    await engine.end()
    await caller.hang_up()
    await destination.wait_ended()
    await engine.start()
    record = await service.record(number)
    assert told(record) == ("answered", "caller", ["taken"])
    assert_near(record.ended, await wire.first(caller, "BYE", "BYE"))
    assert_near(record.legs[0].ended, await wire.first(destination, "BYE", "BYE"))


@ENDS
async def test_it_rings_on_and_is_answered_without_an_engine(
    service: Service, plain: Callable[[], str], engine: Fragile, wire: Wire, how: signal.Signals
) -> None:
    service.network.behave(TO, Answers(after=1.5))
    caller = await service.call(number := plain())
    await caller.wait_ringing()
    await engine.end(how)
    destination = await service.network.picked_up(TO)
    await hear_each_other(caller, destination)
    await engine.start()
    await still_talking(caller, destination)
    await caller.hang_up()
    record = await service.record(number)
    assert told(record) == ("answered", "caller", ["taken"])
    assert_near(record.answered, await wire.first(destination, "SIP/2.0 200", "INVITE"))
    assert_near(record.ended, await wire.first(caller, "BYE", "BYE"))


@pytest.mark.alone  # the caller waits 5 s for the next engine, which starts later beside three other services
@ENDS
async def test_a_ring_that_nobody_took_leads_on_under_the_next_engine(
    service: Service, engine: Fragile, how: signal.Signals
) -> None:
    """It is refused while no engine is there: the caller waits in Asterisk for the next one."""
    engaged, next_one = service.destination(Refuses(486, after=1.0)), service.destination(Answers())
    (number,) = service.house.agree([{"ring": engaged}, {"ring": next_one}])
    caller = await service.call(number)
    await caller.wait_ringing()
    await until(lambda: "connect" in [it["kind"] for it in service.journal(number)])
    await engine.end(how)
    async with seems_alive(service):
        starting = asyncio.create_task(engine.start())
        await until(lambda: [it for it in service.network.arrivals if it.refused])
        await starting
        destination = await service.network.picked_up(next_one)
    await hear_each_other(caller, destination)
    await caller.hang_up()
    record = await service.record(number)
    assert told(record) == ("answered", "caller", ["busy", "taken"])
    assert len([it for it in service.network.arrivals if it.number == engaged]) == 1


@ENDS
async def test_an_announcement_is_said_again_by_the_next_engine_and_the_route_goes_on(
    service: Service, engine: Fragile, how: signal.Signals
) -> None:
    service.network.behave(TO, Answers())
    (number,) = service.house.agree([{"announce": "long"}, {"ring": TO}])
    caller = await service.call(number)
    await caller.hears(PROMPTS["long"])
    await engine.end(how)
    await engine.start()
    destination = await service.network.picked_up(TO)
    await hear_each_other(caller, destination)
    await caller.hang_up()
    record = await service.record(number)
    assert told(record) == ("answered", "caller", ["taken"])
    assert record.ring < timedelta(seconds=2) + late()


@ENDS
async def test_what_the_engine_before_left_playing_is_stopped_and_its_end_is_not_taken_for_ours(
    service: Service, engine: Fragile, how: signal.Signals
) -> None:
    seconds = 6.0
    write_wav(
        service.house.routing / "prompts" / "longer.wav", tone((PROMPTS["long"],), round(seconds * RATE))
    )
    service.network.behave(TO, Answers())
    (number,) = service.house.agree([{"announce": "longer"}, {"ring": TO}])
    caller = await service.call(number)
    await caller.hears(PROMPTS["long"])
    killed = time.monotonic()
    await engine.end(how)
    await engine.start()
    began = time.monotonic()
    left = max(seconds - (began - killed), 0)  # of what the engine before had begun to play
    await service.network.picked_up(TO)
    assert time.monotonic() - began < seconds + max(left / 2, 1) + late().total_seconds()
    await caller.hang_up()
    await service.record(number)


async def test_who_gives_up_while_no_engine_is_there_gave_up_at_that_moment(
    service: Service, plain: Callable[[], str], engine: Fragile, wire: Wire
) -> None:
    service.network.behave(TO, Rings())
    caller = await service.call(number := plain())
    await caller.wait_ringing()
    await engine.end()
    await caller.hang_up()
    await caller.wait_ended()
    await service.cancelled(TO)
    await engine.start()
    record = await service.record(number)
    assert told(record) == ("abandoned", "caller", ["no_answer"])
    assert_near(record.ended, await wire.first(caller, "CANCEL", "CANCEL"))


async def test_who_calls_during_a_restart_waits_for_the_next_engine(
    service: Service, plain: Callable[[], str], engine: Fragile
) -> None:
    service.network.behave(TO, Answers())
    house = service.house
    await engine.end(signal.SIGTERM)
    alive = ask(house.endpoint, "/asterisk/variable?variable=ENGINE_ALIVE")["value"]
    assert int(alive) > time.time() + 3  # it is expected back
    before = house.told("routing_in_force")
    starting = asyncio.create_task(engine.start())
    await until(lambda: house.told("routing_in_force") > before, 20)  # it takes no calls yet
    # As the old one left it: a busy machine may take longer for this than the 5 s in which one is expected.
    seem_alive(house.endpoint)
    caller = await service.call(number := plain())
    await starting
    await hear_each_other(caller, await service.network.picked_up(TO))
    await caller.hang_up()
    record = await service.record(number)
    assert told(record) == ("answered", "caller", ["taken"])
    assert_near(record.began, caller.began)


async def test_without_an_engine_callers_reach_the_fallback_once_it_is_clear_that_none_comes(
    service: Service, engine: Fragile
) -> None:
    service.network.behave(FALLBACK, Answers())
    (number,) = service.house.agree([{"ring": TO}], fallback=FALLBACK)
    await until(lambda: FALLBACK in (service.house.endpoint.etc / "fallback.conf").read_text())
    await engine.end()
    early = await service.call(number)
    called = await service.network.arrival(FALLBACK)
    assert timedelta(seconds=1.7) < called.at - early.began < timedelta(seconds=2) + late()
    await hear_each_other(early, await service.network.picked_up(FALLBACK))
    await away(service)
    late_one = await service.call(number)
    called = await service.network.arrival(FALLBACK, 2)
    assert called.at - late_one.began < timedelta(seconds=0.3) + late()
    await hear_each_other(late_one, await service.network.picked_up(FALLBACK, 2))
    assert [arrival.number for arrival in service.network.arrivals] == [FALLBACK, FALLBACK]
    for caller in (early, late_one):
        await caller.hang_up()
        await caller.wait_ended()


async def test_when_asterisk_dies_the_conversation_is_lost_and_its_record_is_not(
    service: Service, plain: Callable[[], str]
) -> None:
    service.network.behave(TO, Answers())
    await in_conversation(service, number := plain(), TO)
    asterisk = Fragile(service.house.asterisk)
    await asterisk.end()
    died = datetime.now(UTC)
    await asterisk.start()
    record = await service.record(number)
    assert told(record) == ("lost", "lost", ["taken"])
    assert record.ended is not None
    assert abs(record.ended - died) < timedelta(seconds=2) + late()
    alive = "/asterisk/variable?variable=ENGINE_ALIVE"
    await until(lambda: ask(service.house.endpoint, alive)["value"])  # of the new Asterisk
    caller, _ = await in_conversation(service, number := plain(), TO)
    await caller.hang_up()
    assert told(await service.record(number)) == ("answered", "caller", ["taken"])


async def test_when_engine_and_asterisk_die_together_the_talk_is_billed_to_the_last_sign_of_life(
    service: Service, plain: Callable[[], str], engine: Fragile
) -> None:
    service.network.behave(TO, Answers())
    await in_conversation(service, number := plain(), TO)
    asterisk = Fragile(service.house.asterisk)
    await asyncio.gather(engine.end(), asterisk.end())
    died = datetime.now(UTC)
    await asyncio.sleep(TOGETHER_AWAY_SECONDS)  # what must not be billed
    await asterisk.start()
    await engine.start()
    record = await service.record(number)
    assert told(record) == ("lost", "lost", ["taken"])
    assert record.ended is not None
    # The engine gives a sign of life each second; what came after the death must not be billed.
    assert timedelta(seconds=-2) - late() < record.ended - died < timedelta(seconds=0.5) + late()
