"""Of several ringing destinations the engine reads Dial events; without an engine Asterisk connects one."""

from devkit.carrier import Answers, Rings
from tests.live.conversation import assert_near, hear_each_other
from tests.live.fragile import Fragile
from tests.live.service import Service, until
from tests.live.test_takeover import still_talking, told


async def test_a_talk_that_several_rang_for_goes_on_under_the_next_engine(
    service: Service, engine: Fragile
) -> None:
    quick, late = service.destination(Answers(after=0.5)), service.destination(Rings())
    (number,) = service.house.agree([{"ring": {"to": [quick, late]}}])
    caller = await service.call(number)
    destination = await service.network.picked_up(quick)
    await hear_each_other(caller, destination)
    await engine.end()
    await engine.start()
    await still_talking(caller, destination)
    await caller.hang_up()
    assert told(await service.record(number)) == ("answered", "caller", ["taken", "no_answer"])


async def test_when_each_of_several_rang_is_durable_while_they_ring(
    service: Service, engine: Fragile
) -> None:
    both = [service.destination(Rings()) for _ in range(2)]
    (number,) = service.house.agree([{"ring": {"to": both}}])
    caller = await service.call(number)
    arrivals = [await service.network.arrival(to) for to in both]
    await until(lambda: [it["kind"] for it in service.journal(number)].count("leg_ringing") == 2)
    await engine.end()
    await caller.hang_up()
    await caller.wait_ended()
    await engine.start()
    legs = {leg.to: leg for leg in (await service.record(number)).legs}
    for arrival in arrivals:
        assert_near(legs[arrival.number].ringing, arrival.at)  # 180 is the telephone's first word
