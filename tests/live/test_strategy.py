"""`ring` with a strategy on real calls: one destination after another, each call beginning with the next."""

from devkit.carrier import Answers, Refuses, Rings
from tests.live.conversation import hear_each_other
from tests.live.fragile import Fragile
from tests.live.service import Service


async def test_destinations_ring_one_after_another_until_one_answers(service: Service) -> None:
    engaged, absent, there = [service.destination(does) for does in (Refuses(486), Rings(), Answers())]
    to = [engaged, {"number": absent, "seconds": 5}, there]
    (number,) = service.house.agree([{"ring": {"to": to, "strategy": "in_order"}}])
    caller = await service.call(number)
    destination = await service.network.picked_up(there)
    await hear_each_other(caller, destination)
    await caller.hang_up()
    record = await service.record(number)
    assert [(leg.to, leg.outcome) for leg in record.legs] == [
        (engaged, "busy"),
        (absent, "no_answer"),
        (there, "taken"),
    ]
    first, second, third = record.legs
    assert first.ended is not None
    assert second.ended is not None
    assert first.ended <= second.began
    assert second.ended <= third.began
    assert 4.5 < (second.ended - second.began).total_seconds() < 9  # 25 unless it has `seconds`
    steps = [
        (entry["step"], entry["outcome"]) for entry in service.journal(number) if entry["kind"] == "step"
    ]
    assert steps == [("ring", "busy"), ("ring", "no_answer"), ("ring", "taken")]


async def test_each_call_begins_with_the_next_destination(service: Service) -> None:
    to = [service.destination(Refuses(486)) for _ in range(3)]
    (number,) = service.house.agree([{"ring": {"to": to, "strategy": "round_robin"}}])
    for _ in range(4):
        await (await service.call(number)).wait_ended()
    records = await service.records(number, 4)
    assert [record.legs[0].to for record in records] == [*to, to[0]]
    assert [len(record.legs) for record in records] == [3] * 4


async def test_a_round_robin_goes_on_where_it_was_after_the_engine_was_killed(
    service: Service, engine: Fragile
) -> None:
    to = [service.destination(Refuses(486)) for _ in range(3)]
    (number,) = service.house.agree([{"ring": {"to": to, "strategy": "round_robin"}}])
    for n in range(5):
        await (await service.call(number)).wait_ended()
        if n in (0, 2):
            await service.records(number, n + 1)
            await engine.end()
            await engine.start()
    records = await service.records(number, 5)
    assert [record.legs[0].to for record in records] == [*to, *to[:2]]
