"""Destinations that ring apart from each other, at a carrier with terms of its own."""

from collections.abc import AsyncIterator, Iterator

import pytest

from devkit.carrier import Answers, Rings
from devkit.phones import LOOPBACK
from tests.live.agreed import PROMPTS
from tests.live.carriers import Trunking, trunking
from tests.live.conversation import hear_each_other
from tests.live.service import Service, at_your_service


@pytest.fixture(scope="module")
def carriers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trunking]:
    with trunking(tmp_path_factory.mktemp("apart")) as running:
        yield running


@pytest.fixture
async def service(carriers: Trunking) -> AsyncIterator[Service]:
    async with at_your_service(carriers.house) as service:
        yield service


async def test_each_destination_goes_to_the_carrier_that_has_room_and_in_its_form(
    carriers: Trunking, service: Service
) -> None:
    desk, mobile = service.destination(Rings()), service.destination(Answers())
    service.network.behave(desk.removeprefix("+"), Rings())
    to = [desk, {"number": mobile, "delay": 1, "confirm": True}]
    (number,) = carriers.house.agree([{"ring": {"to": to}}])
    here = {"host": f"{LOOPBACK}:{service.house.carrier_port}", "qualify_seconds": 0}
    await carriers.have(trunk={**here, "calls": 1, "numbers": "digits"}, beta=here)
    caller = await service.call(number)
    await service.network.arrival(desk.removeprefix("+"))
    destination = await service.network.picked_up(mobile)
    await destination.hears(PROMPTS["confirm"])
    await destination.press("1")
    await hear_each_other(caller, destination)
    await service.cancelled(desk.removeprefix("+"))
    await caller.hang_up()
    record = await service.record(number)
    assert {(leg.to, leg.trunk, str(leg.outcome), leg.confirmation) for leg in record.legs} == {
        (desk, "trunk", "no_answer", ""),
        (mobile, "beta", "taken", "key"),
    }
