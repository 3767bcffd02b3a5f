"""`share` and `use` on real calls: who gets which, also after the engine was killed."""

from collections import Counter

from devkit.carrier import Refuses
from tests.live.fragile import Fragile
from tests.live.service import Service


async def test_real_calls_are_shared_as_written_and_a_killed_engine_has_not_forgotten(
    service: Service, engine: Fragile
) -> None:
    first, second = service.destination(Refuses(486)), service.destination(Refuses(486))
    share = [{"percent": 50, "then": [{"ring": first}]}, {"percent": 50, "then": [{"ring": second}]}]
    routes = service.house.routing / "routes"
    routes.mkdir(exist_ok=True)
    (routes / "halves.yaml").write_text(f"route:\n  - share: {share}\n".replace("'", '"'))
    (number,) = service.house.agree([{"use": "halves"}])
    for n in range(5):
        caller = await service.call(number)
        await caller.wait_ended()
        if n == 2:
            await service.records(number, 3)
            await engine.end()
            await engine.start()
    records = await service.records(number, 5)
    assert [record.legs[0].to for record in records] == [first, second, first, second, first]
    assert Counter(record.outcome for record in records) == {"busy": 5}
    assert [record.choices for record in records] == [(f"call {n}",) for n in range(1, 6)]
    reasons = [entry["why"] for entry in service.journal(number) if entry["kind"] == "turn"]
    assert reasons[:2] == ["the steps of routes/halves.yaml", "call 1 of each 100: branch 1, which gets 50 %"]
