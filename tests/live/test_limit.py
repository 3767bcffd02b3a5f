"""`limit` on real calls: one too many takes its branch, also after the engine was killed."""

from devkit.carrier import Answers
from tests.live.agreed import PROMPTS, Route
from tests.live.conversation import hear_each_other, in_conversation
from tests.live.fragile import Fragile
from tests.live.service import Service


async def test_a_call_too_many_takes_its_branch_and_a_killed_engine_has_not_forgotten_the_first(
    service: Service, engine: Fragile
) -> None:
    to = service.destination(Answers())
    full = [{"announce": "sorry"}, {"hangup": "busy"}]
    (number,) = service.house.agree([{"limit": {"calls": 1, "full": full}}, {"ring": to}])
    caller, destination = await in_conversation(service, number, to)
    for refused in (1, 2):
        other = await service.call(number)
        await other.hears(PROMPTS["sorry"])
        assert (await other.wait_ended()).code == 486
        await service.records(number, refused)
        await engine.end()
        await engine.start()
    await hear_each_other(caller, destination)
    await caller.hang_up()
    await service.records(number, 3)
    third, _ = await in_conversation(service, number, to)
    await third.hang_up()
    records = await service.records(number, 4)
    assert [record.outcome for record in records] == ["answered", "busy", "busy", "answered"]
    within, over = ("within limit",), ("over limit",)
    assert [record.choices for record in records] == [within, over, over, within]


async def test_the_calls_of_all_numbers_of_an_owner_count_together(service: Service, engine: Fragile) -> None:
    to = service.destination(Answers())
    full = [{"announce": "sorry"}, {"hangup": "busy"}]
    route: Route = [{"limit": {"calls": 2, "of": "owner", "full": full}}, {"ring": to}]
    one, another, alone = service.house.agree(route, route, [{"limit": {"calls": 1}}, {"ring": to}])
    first, _ = await in_conversation(service, one, to)
    second = await service.call(another)
    await hear_each_other(second, await service.network.picked_up(to, 2))
    for number, refused in ((one, 1), (another, 2)):
        third = await service.call(number)
        await third.hears(PROMPTS["sorry"])
        assert (await third.wait_ended()).code == 486
        await service.records(number, 1)
        await engine.end()
        await engine.start()
        assert len(service.network.arrivals) == 2, refused
    other = await service.call(alone)  # another limit counts by itself
    await hear_each_other(other, await service.network.picked_up(to, 3))
    await other.hang_up()
    await first.hang_up()
    await service.records(one, 2)
    fourth = await service.call(another)
    await hear_each_other(fourth, await service.network.picked_up(to, 4))
    for caller in (fourth, second):
        await caller.hang_up()
    assert [record.outcome for record in await service.records(one, 2)] == ["answered", "busy"]
    records = await service.records(another, 3)
    assert [record.outcome for record in records] == ["answered", "busy", "answered"]
    assert [record.choices for record in records] == [
        ("within the owner's limit",),
        ("over limit",),
        ("within the owner's limit",),
    ]
