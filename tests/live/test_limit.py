"""`limit` on real calls: one too many is busy, also after the engine was killed."""

from devkit.carrier import Answers
from tests.live.agreed import PROMPTS
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
