"""`wait` on real calls: what the caller hears meanwhile, unanswered."""

from datetime import timedelta
from typing import Any

from devkit.carrier import Answers
from tests.lateness import late
from tests.live.agreed import PROMPTS
from tests.live.conversation import Wire
from tests.live.service import Service


async def test_a_caller_waits_with_ringing_then_with_music_and_pays_nothing(
    service: Service, wire: Wire
) -> None:
    to = service.destination(Answers())
    waits: list[dict[str, Any]] = [{"wait": 1}, {"wait": {"seconds": 2, "music": "welcome"}}]
    (number,) = service.house.agree([*waits, {"ring": to}])
    caller = await service.call(number)
    await caller.wait_ringing()
    began = await wire.first(caller, "INVITE", "INVITE")
    assert await wire.first(caller, "SIP/2.0 180", "INVITE") - began < timedelta(seconds=1) + late()
    await caller.hears(PROMPTS["welcome"])
    assert caller.answered is None
    arrival = await service.network.arrival(to)
    assert timedelta(seconds=2.9) < arrival.at - began < timedelta(seconds=4.5) + late()
    await service.network.picked_up(to)
    await caller.wait_answered()
    await caller.hang_up()
    record = await service.record(number)
    assert record.outcome == "answered"
    steps = [entry["step"] for entry in service.journal(number) if entry["kind"] == "step"]
    assert steps == ["wait", "wait", "ring"]
