"""Whatever the network sends: Asterisk lives, its calls can be listed, the next honest call succeeds."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from devkit.carrier import Answers
from tests.lateness import late
from tests.live.service import House, Service
from tests.live.torture.attack import Watch, attack
from tests.live.torture.messages import cases, mutations
from tests.tiers import first_light

SEED = 4475
# The numbers that hostile messages are for. One of them, cut or with a digit changed, must not be a number
# that another test is given later: a mutation of +3280000077 once left a second record on +3280000078.
TORTURED, MUTATED = "+31888888888", "+31777777777"


@contextmanager
def unharmed(house: House) -> Iterator[Watch]:
    """Through all of it the same processes live, and the channels can be listed, but for `watch.blind`."""
    before = processes(house)
    with Watch.over(house.endpoint) as watch:
        yield watch
    assert watch.asked > 0
    assert processes(house) == before


def processes(house: House) -> dict[str, int | None]:
    return {part.name: part.process.pid if part.process else None for part in house.run.parts}


async def call_honestly(service: Service) -> None:
    """A call through the engine to a destination that answers at once, in a moment."""
    number, _ = service.ringing(Answers())
    began = time.monotonic()
    caller = await service.call(number)
    await caller.wait_answered()
    assert time.monotonic() - began < 2 + late().total_seconds()
    await caller.hang_up()


async def test_after_every_torture_of_rfc_4475_the_next_honest_call_succeeds(service: Service) -> None:
    service.house.write({TORTURED: {"route": [{"hangup": "busy"}]}})
    strange = cases()
    assert len({case.section for case in strange}) == 49
    with unharmed(service.house) as watch:
        names = {"target": watch.endpoint.sip, "number": TORTURED}
        messages = [case.written(unique=f"t{n}", **names) for n, case in enumerate(strange)]
        await asyncio.to_thread(attack, watch, messages, 1)
        await call_honestly(service)
    assert watch.blind == []
    await service.records(TORTURED, 8)  # eight of them are calls, after all


@pytest.mark.parametrize("count", first_light(500, 5_000))
async def test_after_mutations_the_next_honest_call_succeeds(service: Service, count: int) -> None:
    service.house.write({MUTATED: {"route": [{"hangup": "busy"}]}})
    with unharmed(service.house) as watch:
        messages = mutations(SEED, count, target=watch.endpoint.sip, number=MUTATED)
        await asyncio.to_thread(attack, watch, messages, 25)
        await call_honestly(service)
    await service.records(MUTATED, count // 10)  # about an eighth of them are calls
