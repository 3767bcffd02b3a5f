"""`sticky`, `longest_idle`, `max_calls` and `present_if_refused` on real calls."""

from devkit.carrier import Answers, Refuses
from devkit.phones import shown
from tests.live.agreed import new_caller
from tests.live.service import Service, until


async def test_a_caller_comes_back_to_the_destination_that_answered_and_others_are_shared(
    service: Service,
) -> None:
    first, second = service.destination(Refuses(486)), service.destination(Answers())
    sticky, idle = service.house.agree(
        [{"ring": {"to": [first, second], "strategy": "sticky"}}],
        [{"ring": {"to": [second, first], "strategy": "longest_idle"}}],
    )
    who = shown(new_caller())
    for n in (1, 2):
        caller = await service.telephones.dial(sticky, service.house.run.sip, who)
        await caller.wait_answered()
        await caller.hang_up()
        records = await service.records(sticky, n)  # what the engine remembers, it does before the record
    assert [[leg.to for leg in record.legs] for record in records] == [[first, second], [second]]
    caller = await service.call(idle)
    await caller.wait_answered()
    await caller.hang_up()
    assert [leg.to for leg in (await service.record(idle)).legs] == [first, second]


async def test_a_destination_that_has_as_many_calls_as_it_may_have_is_busy(service: Service) -> None:
    to = service.destination(Answers())
    route = {"ring": {"to": {"number": to, "max_calls": 1}, "busy": [{"hangup": "busy"}]}}
    (number,) = service.house.agree([route])
    talks = await service.call(number)
    await talks.wait_answered()
    await (await service.call(number)).wait_ended()
    await talks.hang_up()
    await until(lambda: service.house.metric("calls_live") == 0)
    third = await service.call(number)
    await third.wait_answered()
    await third.hang_up()
    records = await service.records(number, 3)
    assert sorted(record.outcome for record in records) == ["answered", "answered", "busy"]


async def test_a_network_that_refuses_the_callers_number_is_shown_the_service_number(
    service: Service,
) -> None:
    to = service.destination(Refuses(603))
    route = {"ring": {"to": {"number": to, "present_if_refused": "service_number"}}}
    (number,) = service.house.agree([route])
    await (await service.call(number)).wait_ended()
    first, second = [await service.network.arrival(to, count) for count in (1, 2)]
    assert number not in first.invite.one("from")
    assert number in second.invite.one("from")
    assert len(service.network.arrivals) == 2
    record = await service.record(number)
    assert [(leg.outcome, leg.sip) for leg in record.legs] == [("rejected", 603)] * 2
    assert record.choices == (f"again {to}",)
