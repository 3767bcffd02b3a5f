"""Keys that come fast: ten a second are read, and a flood of them harms no other call."""

import asyncio

from tests.live.agreed import PROMPTS, Route
from tests.live.keypad import pressing
from tests.live.service import Service

FLOOD, FLOOD_A_SECOND = 3000, 1000.0


def menu(key: str) -> Route:
    keys = {key: [{"announce": "closed"}]}
    return [{"menu": {"prompt": "long", "keys": keys, "answer": True, "tries": 5}}, {"announce": "sorry"}]


async def test_ten_keys_a_second_are_read(service: Service) -> None:
    (number,) = service.house.agree(menu("31415926"))

    def enter() -> None:
        with pressing(number, service.house.run.sip) as keypad:
            keypad.press("31415926", a_second=10)

    await asyncio.to_thread(enter)
    assert (await service.record(number)).choices == ("31415926",)


async def test_a_flood_of_keys_harms_no_other_call(service: Service) -> None:
    flooded, number = service.house.agree(menu("77777777"), menu("1"))

    def flood() -> None:
        with pressing(flooded, service.house.run.sip) as keypad:
            keypad.press("5" * FLOOD, FLOOD_A_SECOND)

    flooding = asyncio.create_task(asyncio.to_thread(flood))
    caller = await service.call(number)
    await caller.hears(PROMPTS["long"])
    await caller.press("1")
    await caller.hears(PROMPTS["closed"])
    assert not flooding.done(), "the call was served after the flood, not during it"
    await caller.wait_ended()
    await flooding
    assert (await service.record(number)).choices == ("1",)
    record = await service.record(flooded)
    assert record.choices in ((), ("invalid",))
