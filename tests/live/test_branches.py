"""The branches of `ring` on real calls: each outcome of the destinations leads into its own."""

from collections.abc import Mapping, Sequence

import pytest

from devkit.carrier import Answers, Behaviour, Refuses
from tests.live.agreed import PROMPTS
from tests.live.conversation import hear_each_other
from tests.live.service import Service

SAYS = {"busy": "sorry", "rejected": "welcome", "unreachable": "closed", "congested": "long"}
DECLINED, OVERLOADED = Refuses(603), Refuses(503)


async def led_into(
    service: Service, branches: Sequence[str], told: str, *behaviours: Behaviour
) -> Mapping[str, str]:
    """A call that hears the prompt of the branch `told`, and talks there; the outcomes of the first legs.

    Every other branch, and the next step, would ring a telephone that nobody may reach.
    """
    to = [service.destination(behaviour) for behaviour in behaviours]
    right, wrong = service.destination(Answers()), service.destination(Answers())
    steps = {
        name: [{"announce": SAYS[name]}, {"ring": right if name == told else wrong}] for name in branches
    }
    (number,) = service.house.agree([{"ring": {"to": to, **steps}}, {"ring": wrong}])
    caller = await service.call(number)
    await caller.hears(PROMPTS[SAYS[told]])
    await hear_each_other(caller, await service.network.picked_up(right))
    await caller.hang_up()
    record = await service.record(number)
    assert (record.outcome, record.delivered_to) == ("answered", right)
    assert [leg.to for leg in record.legs if leg.to not in to] == [right]
    return {leg.to: str(leg.outcome) for leg in record.legs if leg.to in to}


@pytest.mark.parametrize(
    ("branches", "told"),
    [(("busy", "rejected", "unreachable", "congested"), "rejected"), (("busy", "congested"), "busy")],
)
async def test_who_declines_leads_into_rejected_or_else_into_busy(
    service: Service, branches: Sequence[str], told: str
) -> None:
    legs = await led_into(service, branches, told, DECLINED)
    assert list(legs.values()) == ["rejected"]


@pytest.mark.parametrize(
    ("branches", "told"),
    [
        (("busy", "rejected", "unreachable", "congested"), "congested"),
        (("rejected", "unreachable"), "unreachable"),
    ],
)
async def test_an_overloaded_network_leads_into_congested_or_else_into_unreachable(
    service: Service, branches: Sequence[str], told: str
) -> None:
    legs = await led_into(service, branches, told, OVERLOADED)
    assert list(legs.values()) == ["congested"]


async def test_of_two_at_once_a_person_who_declined_outranks_an_overloaded_network(service: Service) -> None:
    legs = await led_into(service, ("rejected", "congested"), "rejected", OVERLOADED, DECLINED)
    assert sorted(legs.values()) == ["congested", "rejected"]
