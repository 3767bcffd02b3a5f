"""A destination that could not be reached three times in a row is left out of rings with others."""

from devkit.carrier import Refuses
from tests.live.service import Service


async def test_the_fourth_call_leaves_it_out_and_its_record_says_so(service: Service) -> None:
    gone, there = service.destination(Refuses(404)), service.destination(Refuses(486))
    route = {"ring": {"to": [gone, there], "strategy": "in_order"}}
    alone, both = service.house.agree([{"ring": gone}], [route])
    for _ in range(3):
        await (await service.call(both)).wait_ended()
    await (await service.call(both)).wait_ended()
    await (await service.call(alone)).wait_ended()
    *earlier, last = await service.records(both, 4)
    assert [[leg.to for leg in record.legs] for record in earlier] == [[gone, there]] * 3
    assert [(leg.to, leg.outcome) for leg in last.legs] == [(there, "busy")]
    assert last.unreachable == (gone,)
    assert service.house.metric("destinations_left_out") == 1
    assert [leg.to for leg in (await service.record(alone)).legs] == [gone]  # alone it is never left out
