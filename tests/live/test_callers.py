"""`callers` on real calls: blocked, withheld, or by another route, from the first INVITE on."""

import pytest

from devkit.carrier import Answers
from devkit.phones import WITHHELD, shown
from tests.live.agreed import PROMPTS, new_caller
from tests.live.conversation import hear_each_other
from tests.live.service import Service
from tests.live.sinks import canary


async def test_callers_are_told_apart_on_real_calls(service: Service) -> None:
    friend, foe, to = new_caller(), new_caller(), service.destination(Answers())
    (number,) = service.house.agree(
        [
            {
                "callers": [
                    {"who": "withheld", "block": "busy"},
                    {"who": foe, "block": {"message": "sorry"}},
                    {"who": ["NL", friend], "then": [{"ring": to}]},
                ]
            },
            {"hangup": "unreachable"},
        ]
    )
    hidden = await service.call(number, WITHHELD["real From and private"](canary()))
    assert (await hidden.wait_ended()).code == 486
    refused = await service.call(number, shown(foe))
    assert await refused.hears(PROMPTS["sorry"]) == pytest.approx(0.141, abs=0.03)
    assert (await refused.wait_ended()).code == 403
    stranger = await service.call(number, shown(new_caller()))
    assert (await stranger.wait_ended()).code == 503
    caller = await service.call(number, shown(friend))
    await hear_each_other(caller, await service.network.picked_up(to))
    await caller.hang_up()
    records = await service.records(number, 4)
    assert sorted(record.outcome for record in records) == ["answered", "busy", "rejected", "unreachable"]
    reasons = [entry["why"] for entry in service.journal(number) if entry["kind"] == "turn"]
    assert len(reasons) == 4
    assert not any(who in why for who in (friend, foe) for why in reasons)
