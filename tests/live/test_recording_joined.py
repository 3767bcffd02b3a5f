"""Who joins the caller of a recorded number hears the announcement too, before they can be recorded."""

import hashlib
import signal
from datetime import datetime, timedelta

import numpy as np
import pytest

from devkit.audio import levels, tone, write_wav
from devkit.carrier import Answers
from devkit.handset import Handset
from tests.lateness import late
from tests.live.conversation import Wire, assert_near, hear_each_other
from tests.live.fragile import Fragile
from tests.live.recordings import (
    NOTICE_HZ,
    of_kind,
    recorded_number,
    recorded_ringing,
    recorded_route,
    watched,
)
from tests.live.service import CALLER_HZ, DESTINATION_HZ, Service, until
from tests.tiers import first_light

QUIET = 0.02


def tenths(handset: Handset, hz: float) -> int:
    """In how many tenths of a second that tone was heard."""
    return int(np.count_nonzero(np.array(levels(handset.heard, hz)) > 0.1))


@pytest.mark.parametrize("others", [0, 2])
async def test_who_answers_hears_it_alone_and_whole_before_the_caller_is_answered(
    service: Service, wire: Wire, others: int
) -> None:
    to = service.destination(Answers(after=0.5, says=(DESTINATION_HZ,)))
    slower = [service.destination(Answers(after=60)) for _ in range(others)]
    number = recorded_route(service.house, [{"ring": {"to": [to, *slower]}}])
    caller = await service.call(number)
    destination = await service.network.picked_up(to)
    await destination.hears(NOTICE_HZ)
    assert caller.answered is None
    assert destination.level(CALLER_HZ) < QUIET
    await hear_each_other(caller, destination)
    await caller.hang_up()
    record = await service.record(number)
    assert 15 <= tenths(destination, NOTICE_HZ) <= 22, "2.0 s of it"
    assert 15 <= tenths(caller, NOTICE_HZ) <= 22, "their own, and not the other's"
    (informed,) = of_kind(service, number, "informed")
    (leg,) = (leg for leg in record.legs if leg.to == to)
    assert (informed["leg"], informed["result"]) == (leg.leg_id, "heard")
    assert record.notice["joined"][0]["announcement"] == "long"
    assert_near(leg.answered, await wire.first(destination, "SIP/2.0 200", "INVITE"))
    assert_near(record.answered, await wire.first(caller, "SIP/2.0 200", "INVITE"))
    assert_near(record.answered, datetime.fromisoformat(informed["ended"]))


async def test_who_has_agreed_once_and_for_all_talks_at_once(service: Service) -> None:
    to = service.destination(Answers(says=(DESTINATION_HZ,)))
    number = recorded_number(service.house, to, destinations_know="true")
    caller = await service.call(number)
    destination = await service.network.picked_up(to)
    await hear_each_other(caller, destination)
    await caller.hang_up()
    record = await service.record(number)
    assert tenths(destination, NOTICE_HZ) == 0
    assert record.legs[0].answered is not None
    assert_near(record.answered, record.legs[0].answered)
    assert record.notice["joined"][0]["result"] == "known"
    assert record.recording_id


async def test_who_leaves_when_they_hear_it_leaves_the_caller_to_the_next(service: Service) -> None:
    unwilling = service.destination(Answers(hangs_up_after=0.5))
    willing = service.destination(Answers(says=(DESTINATION_HZ,)))
    number = recorded_route(service.house, [{"ring": unwilling}, {"ring": willing}])
    async with watched(service.house.endpoint.recordings) as seen:
        caller = await service.call(number)
        await service.network.picked_up(unwilling)
        destination = await service.network.picked_up(willing)
        assert not {name for name in seen if "-rec1-" in name}
        await hear_each_other(caller, destination)
        await caller.hang_up()
    record = await service.record(number)
    assert [(leg.to, leg.outcome) for leg in record.legs] == [(unwilling, "rejected"), (willing, "taken")]
    assert (record.outcome, record.delivered_to) == ("answered", willing)
    told = [(it["leg"], it["result"]) for it in record.notice["joined"]]
    assert told == [(record.legs[0].leg_id, "left"), (record.legs[1].leg_id, "heard")]
    assert record.recording_id


async def test_a_caller_who_gives_up_meanwhile_has_paid_nothing(service: Service) -> None:
    to = service.destination(Answers())
    number = recorded_number(service.house, to)
    caller = await service.call(number)
    destination = await service.network.picked_up(to)
    await destination.hears(NOTICE_HZ)
    await caller.hang_up()
    await destination.wait_ended()
    record = await service.record(number)
    assert (record.outcome, record.answered, record.recording_id) == ("abandoned", None, "")
    assert caller.answered is None


async def test_where_it_cannot_be_played_to_who_answers_nobody_is_recorded_and_both_talk(
    service: Service,
) -> None:
    service.forgiven.add("call_not_recorded")
    house = service.house
    prompt = house.routing / "prompts" / "es" / "recording-announcement.wav"
    prompt.parent.mkdir()
    write_wav(prompt, tone((NOTICE_HZ,), 7778))
    to = service.destination(Answers(says=(DESTINATION_HZ,)))
    number = recorded_number(house, to, "opt_out", language="es", recording_notice="closed")
    sha256 = hashlib.sha256(prompt.read_bytes()).hexdigest()
    (published,) = (house.state / "prompts").glob(f"{sha256}*.wav")
    published.unlink()
    async with watched(house.endpoint.recordings) as seen:
        caller = await service.call(number)
        destination = await service.network.picked_up(to)
        await hear_each_other(caller, destination)
        await caller.hang_up()
        record = await service.record(number)
    (joined,) = record.notice["joined"]
    assert (record.notice["result"], joined["result"]) == ("heard", "failed")
    assert joined["why"] == "the announcement was not heard to its end"
    assert (record.outcome, record.recording_id) == ("answered", "")
    assert not any(name.startswith(record.call_id) for name in seen)


@pytest.mark.parametrize("how", first_light(signal.SIGTERM, signal.SIGKILL), ids=["stopped", "killed"])
async def test_who_was_hearing_it_when_the_engine_ended_hears_it_whole_from_the_next(
    service: Service, engine: Fragile, how: signal.Signals
) -> None:
    number, to = recorded_ringing(service, Answers(says=(DESTINATION_HZ,)))
    caller = await service.call(number)
    destination = await service.network.picked_up(to)
    await destination.hears(NOTICE_HZ)
    await engine.end(how)
    await engine.start()
    await hear_each_other(caller, destination)
    await until(lambda: of_kind(service, number, "rec_start"))
    await caller.hang_up()
    record = await service.record(number)
    (informed,) = of_kind(service, number, "informed")
    took = datetime.fromisoformat(informed["ended"]) - datetime.fromisoformat(informed["began"])
    assert abs(took - timedelta(seconds=2)) < timedelta(seconds=0.5) + late()
    assert (informed["result"], [leg.outcome for leg in record.legs]) == ("heard", ["taken"])
    assert record.recording_id
