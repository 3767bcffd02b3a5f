"""A party that sends no sound: the call lives (rtp_timeout of pjsip.conf).

SILENT_SECONDS=n: for how long; at least once a little longer than the 30 s after which such calls once ended.
"""

import asyncio
import os

import pytest

from devkit.carrier import Answers
from tests.live.service import Service
from tests.live.sip import Agent, Call
from tests.tiers import first_light

SILENT_SECONDS = float(os.environ.get("SILENT_SECONDS", "34"))


@pytest.mark.parametrize("seconds", first_light(3.0, SILENT_SECONDS))
async def test_a_caller_who_sends_no_sound_is_not_cut_off(service: Service, seconds: float) -> None:
    number, to = service.ringing(Answers())
    with Agent() as agent:
        call = Call(agent, service.house.run.sip, number).invite()
        destination = await service.network.picked_up(to)
        await destination.wait_answered()
        assert await asyncio.to_thread(call.final) == 200
        await asyncio.sleep(seconds)  # what is tested is that nothing happens
        assert destination.ending is None
        await asyncio.to_thread(call.hang_up)
        await destination.wait_ended()
    record = await service.record(number)
    assert (record.outcome, record.ended_by) == ("answered", "caller")
    assert record.talk.total_seconds() > seconds
