"""`rate` on real calls: a caller who calls too often is busy, and another is not."""

from devkit.carrier import Refuses
from devkit.phones import shown
from tests.live.agreed import new_caller
from tests.live.service import Service


async def test_a_caller_who_calls_too_often_is_busy_and_another_is_not(service: Service) -> None:
    to = service.destination(Refuses(404))
    (number,) = service.house.agree([{"rate": 1}, {"ring": to}])
    often, other = shown(new_caller()), shown(new_caller())
    endings = []
    for who in (often, often, other):
        caller = await service.telephones.dial(number, service.house.run.sip, who)
        endings.append((await caller.wait_ended()).code)
    assert endings == [503, 486, 503]
    records = await service.records(number, 3)
    assert [record.choices for record in records] == [("within limit",), ("over limit",), ("within limit",)]
