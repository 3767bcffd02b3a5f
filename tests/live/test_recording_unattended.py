"""Recordings of a node whose engine is not there: Asterisk begins, pauses and ends them by itself."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from devkit.audio import FULL, RATE, levels
from devkit.carrier import Answers
from tests.lateness import late
from tests.live.conversation import hear_each_other
from tests.live.fragile import Fragile
from tests.live.recorded import ABSENT, CALLER_HZ, DESTINATION_HZ, PRESENT, Conversation, length, recorded
from tests.live.recordings import NOTICE_HZ, Kept, instant, of_kind, recorded_ringing
from tests.live.service import Service, until
from tests.tiers import first_light

# What these telephones may be short by: they say nothing for a moment when an engine starts beside them.
BUSY = timedelta(milliseconds=250)


def parts_there(service: Service, call_id: str) -> int:
    """How many parts of this call Asterisk has begun to write."""
    return len(list(service.house.endpoint.recordings.glob(f"{call_id}-*.raw")))


@pytest.mark.parametrize("paused", first_light(True, False), ids=["paused", "recording"])
async def test_a_recording_goes_on_without_an_engine_and_ends_with_the_next(
    service: Service, engine: Fragile, tmp_path: Path, paused: bool
) -> None:
    it = await recorded(service, tmp_path)
    await engine.end()
    if paused:
        await press_pause(it, 2)
        await it.talk(1)
        await press_pause(it, 3)
    await it.talk(1)
    await engine.start()
    said, _ = await it.over()
    assert abs(length(said) - (await it.record()).talk) < BUSY + late()
    silence = np.array(levels(said, CALLER_HZ)) < ABSENT
    silent = np.count_nonzero(silence[5:-5]) / 10
    assert silent > 1 if paused else silent <= (BUSY + late()).total_seconds()
    told = [len(it.noted(kind)) for kind in ("rec_start", "rec_pause", "rec_resume", "rec_end")]
    assert told == [1, int(paused), int(paused), 1]


async def press_pause(it: Conversation, parts: int) -> None:
    """Let the destination press *1; there are so many parts then."""
    await it.destination.press("*1")
    await until(lambda: parts_there(it.service, it.kept.audio_id) == parts)


async def test_who_hangs_up_while_no_engine_is_there_has_ended_the_recording(
    service: Service, engine: Fragile, tmp_path: Path
) -> None:
    it = await recorded(service, tmp_path)
    await it.talk(1)
    await engine.end()
    await it.hang_up()
    await engine.start()
    said, _ = await it.sides()
    record = await it.record()
    assert abs(length(said) - record.talk) < BUSY + late()
    (end,) = it.noted("rec_end")
    assert record.ended is not None
    assert abs(instant(end) - record.ended) < timedelta(milliseconds=200) + late()


@pytest.mark.parametrize("hangs_up", first_light("without one", "with an engine"))
async def test_a_recording_that_begins_without_an_engine_is_the_owner_s_like_any_other(
    service: Service, engine: Fragile, tmp_path: Path, hangs_up: str
) -> None:
    """The engine is killed while the destination hears the announcement."""
    number, to = recorded_ringing(service, Answers(says=(DESTINATION_HZ,)))
    caller = await service.call(number, says=(CALLER_HZ,))
    destination = await service.network.picked_up(to)
    await destination.hears(NOTICE_HZ)
    (call,) = {entry["call"] for entry in service.journal(number)}
    await engine.end()
    assert parts_there(service, call) == 0
    await hear_each_other(caller, destination, DESTINATION_HZ, CALLER_HZ)
    it = Conversation(service, number, caller, destination, Kept(service.house, tmp_path, f"{call}-rec1"))
    assert of_kind(service, number, "rec_start") == []
    await it.talk(1)
    if hangs_up == "without one":
        await it.hang_up()
    await engine.start()
    said, _ = await (it.sides() if hangs_up == "without one" else it.over())
    record = await it.record()
    assert record.recording_id == it.kept.audio_id
    assert abs(length(said) - record.talk) < BUSY + late()
    assert [joined["result"] for joined in record.notice["joined"]] == ["heard"]
    stored = await it.stored()
    assert abs(len(stored) / RATE - record.talk.total_seconds()) < (BUSY + late()).total_seconds()
    assert np.median(levels(np.round(stored[:, 0] * FULL).astype(np.int16), CALLER_HZ)) > PRESENT
