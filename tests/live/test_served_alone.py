"""Calls that Asterisk takes to their fallback by itself: each has its record, a true one, and one only."""

from datetime import UTC, datetime, timedelta

import pytest

from devkit.carrier import Answers, Refuses, Rings
from devkit.handset import Handset
from devkit.phones import WITHHELD
from storage.records import CallRecord
from tests.lateness import late
from tests.live.agreed import new_caller, new_destination
from tests.live.conversation import Wire, assert_near, hear_each_other
from tests.live.fragile import Fragile, away
from tests.live.service import Service, until
from tests.tiers import first_light

TO = new_destination()


async def with_fallback(service: Service, fallback: str) -> str:
    """A number whose fallback Asterisk knows."""
    (number,) = service.house.agree([{"ring": TO}], fallback=fallback)
    await until(lambda: fallback in (service.house.endpoint.etc / "fallback.conf").read_text())
    return number


def told(record: CallRecord) -> tuple[str, str, str, list[str]]:
    return record.outcome, record.ended_by, record.delivered_to, [leg.outcome for leg in record.legs]


async def test_each_call_of_an_outage_is_recorded_as_it_was(
    service: Service, engine: Fragile, wire: Wire
) -> None:
    to = new_destination()
    number = await with_fallback(service, to)
    await engine.end()
    await away(service)
    first, second = await calls_of_an_outage(service, number, to)
    await engine.start()
    records = await service.records(number, 4)
    assert [told(record) for record in records] == [
        ("answered", "caller", to, ["taken"]),
        ("answered", "destination", to, ["taken"]),
        ("busy", "engine", "", ["busy"]),
        ("abandoned", "caller", "", ["no_answer"]),
    ]
    for record, (caller, _) in zip(records, (first, second), strict=False):
        assert_near(record.began, caller.began)
        assert_near(record.answered, await wire.first(caller, "SIP/2.0 200", "INVITE"))
    assert_near(records[0].ended, await wire.first(first[0], "BYE", "BYE"))
    assert_near(records[1].ended, await wire.first(second[1], "BYE", "BYE"))
    assert {(record.owner, record.caller, record.withheld) for record in records} == {("acme", "", False)}

    await engine.end()  # read again, they are the same calls
    await engine.start()
    service.network.behave(TO, Refuses(486))
    await (await service.call(number)).wait_ended()
    assert len(await service.records(number, 5)) == 5


async def calls_of_an_outage(service: Service, number: str, to: str) -> list[tuple[Handset, Handset]]:
    """One ended by the caller, one by the destination, one to a busy line, one given up; the first two."""
    network = service.network
    network.behave(to, Answers())
    talks = first, second = [await answered(service, number, to, n) for n in (1, 2)]
    await first[0].hang_up()
    await first[1].wait_ended()
    await second[1].hang_up()
    await second[0].wait_ended()
    network.behave(to, Refuses(486))
    assert (await (await service.call(number)).wait_ended()).code == 486
    network.behave(to, Rings())
    impatient = await service.call(number)
    await impatient.wait_ringing()
    await impatient.hang_up()
    await impatient.wait_ended()
    return talks


async def answered(service: Service, number: str, to: str, count: int) -> tuple[Handset, Handset]:
    """A caller, and the fallback that has answered him."""
    caller = await service.call(number)
    destination = await service.network.picked_up(to, count)
    await hear_each_other(caller, destination)
    return caller, destination


async def test_a_call_that_waited_for_an_engine_in_vain_and_outlasts_its_absence_has_one_record(
    service: Service, engine: Fragile, wire: Wire
) -> None:
    to = service.destination(Answers())
    number = await with_fallback(service, to)
    await engine.end()
    caller = await service.call(number)  # Asterisk waits: the engine has just been there
    destination = await service.network.picked_up(to)
    await hear_each_other(caller, destination)
    await engine.start()
    await hear_each_other(caller, destination)
    await destination.hang_up()
    await caller.wait_ended()
    record = await service.record(number)
    assert told(record) == ("answered", "destination", to, ["taken"])
    assert_near(record.answered, await wire.first(caller, "SIP/2.0 200", "INVITE"))
    assert_near(record.ended, await wire.first(destination, "BYE", "BYE"))


async def test_a_call_of_which_an_engine_heard_and_died_before_it_wrote_that_down_began_when_it_came(
    service: Service, engine: Fragile
) -> None:
    to = service.destination(Answers())
    number = await with_fallback(service, to)
    engine.freeze()
    caller = await service.call(number)  # what Asterisk says of it is lost in the frozen engine
    called = await service.network.arrival(to)
    assert called.at - caller.began < timedelta(seconds=2) + late()
    destination = await service.network.picked_up(to)
    await hear_each_other(caller, destination)
    await engine.end()
    await engine.start()
    await caller.hang_up()
    record = await service.record(number)
    assert told(record) == ("answered", "caller", to, ["taken"])
    assert_near(record.began, caller.began)


async def test_of_a_call_that_an_engine_had_begun_nothing_is_forgotten(
    service: Service, engine: Fragile
) -> None:
    """It is refused while no engine is there, and none comes: Asterisk takes the caller to the fallback."""
    engaged, to = service.destination(Refuses(486, after=1.0)), service.destination(Answers())
    (number,) = service.house.agree([{"ring": engaged}, {"hangup": "failed"}], fallback=to)
    await until(lambda: to in (service.house.endpoint.etc / "fallback.conf").read_text())
    caller = await service.call(number, WITHHELD["asserted and private"](new_caller()))
    await caller.wait_ringing()
    await engine.end()
    destination = await service.network.picked_up(to)
    await hear_each_other(caller, destination)
    await caller.hang_up()
    await destination.wait_ended()
    await engine.start()
    record = await service.record(number)
    assert told(record) == ("answered", "caller", to, ["busy", "taken"])
    assert (record.withheld, record.caller) == (True, "")


@pytest.mark.parametrize("talks", first_light(1, 59))
async def test_a_talk_at_the_fallback_in_which_asterisk_dies_has_a_record(
    service: Service, engine: Fragile, wire: Wire, talks: int
) -> None:
    """No engine ever heard of it, and no line of CEL tells of its end: the last sign of life counts."""
    to, asterisk = service.destination(Answers()), Fragile(service.house.asterisk)
    number = await with_fallback(service, to)
    await engine.end()
    await away(service)
    callers = [(await answered(service, number, to, n))[0] for n in range(1, talks + 1)]
    await asterisk.end()
    died = datetime.now(UTC)
    await asterisk.start()
    await engine.start()
    records = await service.records(number, talks)
    assert [told(record) for record in records] == [("lost", "lost", to, ["taken"])] * talks
    for caller, record in zip(callers, records, strict=True):
        assert_near(record.answered, await wire.first(caller, "SIP/2.0 200", "INVITE"))
        assert record.answered is not None
        assert record.ended is not None
        assert record.answered <= record.ended < died
    print("ended before its death:", max(died - record.ended for record in records if record.ended))


async def test_a_caller_who_waits_for_an_engine_when_asterisk_dies_has_a_record(
    service: Service, engine: Fragile
) -> None:
    """CEL has only that the call began: it ended with that Asterisk, and nobody was called."""
    asterisk = Fragile(service.house.asterisk)
    number = await with_fallback(service, new_destination())
    await engine.end()
    began = datetime.now(UTC)
    await service.call(number)
    await until(lambda: number in service.house.endpoint.cel.read_text())
    await asterisk.end()
    died = datetime.now(UTC)
    await asterisk.start()
    await engine.start()
    record = await service.record(number)
    assert (told(record), record.answered, record.caller) == (("lost", "lost", "", []), None, "")
    assert record.ended is not None
    assert began - late() <= record.began <= record.ended <= died
