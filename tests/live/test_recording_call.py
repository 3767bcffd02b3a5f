"""Conversations as they are recorded: what is in a recording, and what is not."""

import hashlib
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from devkit.audio import Samples, level, levels, tone, write_wav
from devkit.carrier import Answers
from storage.parts import NAME
from tests.lateness import late
from tests.live.conversation import hear_each_other
from tests.live.recorded import ABSENT, BEFORE_HZ, CALLER_HZ, DESTINATION_HZ, PRESENT, length, recorded
from tests.live.recordings import NOTICE_HZ, instant, of_kind, recorded_number, watched
from tests.live.service import Service

NEAR = timedelta(milliseconds=40)
BURSTS = 5


async def test_each_is_on_their_own_side_from_answer_to_end_and_nothing_from_before(
    service: Service, tmp_path: Path
) -> None:
    it = await recorded(service, tmp_path, keep_recordings="2 weeks")
    assert service.house.asterisk.running is not None
    (bridge,) = service.house.asterisk.running.cli("bridge show all").splitlines()[1:]
    assert "simple_bridge" in bridge
    await it.talk(2)
    said, heard = await it.over()
    assert np.median(levels(said, CALLER_HZ)) > PRESENT
    assert np.median(levels(heard, DESTINATION_HZ)) > PRESENT
    for sound, others in ((said, (DESTINATION_HZ,)), (heard, (CALLER_HZ,))):
        for hz in (BEFORE_HZ, NOTICE_HZ, *others):
            assert level(sound, hz) < ABSENT, f"{hz} Hz"
    record = await it.record()
    (start,), (end,) = it.noted("rec_start"), it.noted("rec_end")
    assert (start["keep_seconds"], start["format"]) == (14 * 86400, "flac")
    assert start["audio"] == end["audio"] == f"{record.call_id}-rec1"


async def test_it_is_as_long_as_the_talk(service: Service, tmp_path: Path) -> None:
    """The nearest of five: these telephones say nothing for a moment now and then on a busy machine, and the
    recorder has no clock. Held to its bound without that in test_recording_even.
    """
    differences = []
    for _ in range(5):
        it = await recorded(service, tmp_path)
        said, _ = await it.over()
        differences.append(abs(length(said) - (await it.record()).talk))
        if differences[-1] < NEAR + late():
            return
    pytest.fail(f"{differences}")


async def test_the_announcement_is_heard_unanswered_and_is_the_evidence(
    service: Service, tmp_path: Path
) -> None:
    it = await recorded(service, tmp_path)
    heard = np.flatnonzero(np.array(levels(it.caller.heard, NOTICE_HZ)) > 0.1)
    assert 15 <= len(heard) <= 22, "2.0 s of it"
    await it.over()
    (notice,), record = it.noted("notice"), await it.record()
    file = service.house.routing / "prompts" / "long.wav"
    assert notice["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert (notice["result"], notice["announcement"], notice["language"]) == ("heard", "long", "en")
    took = datetime.fromisoformat(notice["ended"]) - datetime.fromisoformat(notice["began"])
    assert abs(took - timedelta(seconds=2)) < timedelta(seconds=0.5) + late()
    assert record.answered is not None
    assert record.ended is not None
    assert instant(notice) < record.legs[0].began < record.answered < record.ended


async def test_both_sides_run_side_by_side(service: Service, tmp_path: Path) -> None:
    """Both say the same bursts at the same time; the telephones' own frames are 20 ms."""
    it = await recorded(service, tmp_path)
    it.caller.say()
    it.destination.say()
    for _ in range(BURSTS):
        await it.talk(0.4)
        for handset in (it.caller, it.destination):
            handset.say(CALLER_HZ)
        await it.talk(0.3)
        for handset in (it.caller, it.destination):
            handset.say()
    await it.talk(0.3)
    said, heard = (onsets(sound, CALLER_HZ)[-BURSTS:] for sound in await it.over())
    assert abs(np.median(np.array(said) - np.array(heard))) <= 0.03 + late().total_seconds()


def onsets(sound: Samples, hz: float) -> list[float]:
    """When that tone begins, in seconds, each time."""
    there = np.array(levels(sound, hz, 0.005)) > 0.1
    return [float(at) * 0.005 for at in np.flatnonzero(np.diff(there.astype(int)) == 1)]


def are_of(names: set[str], call_id: str) -> set[str]:
    """The kinds of files among them that belong to this call's recording."""
    return {NAME.sub(".part", name.removeprefix(call_id)) for name in names if name.startswith(call_id)}


@pytest.mark.parametrize(
    ("policy", "key", "result"),
    [
        ("opt_in", "", "refused"),
        ("opt_in", "1", "heard"),
        ("opt_out", "1", "refused"),
        ("opt_out", "", "heard"),
    ],
)
async def test_who_is_asked_is_recorded_only_as_they_answer(
    service: Service, policy: str, key: str, result: str
) -> None:
    to = service.destination(Answers(says=(DESTINATION_HZ,)))
    number = recorded_number(service.house, to, policy)
    async with watched(service.house.endpoint.recordings) as seen:
        caller = await service.call(number)
        await caller.hears(NOTICE_HZ)
        if key:
            await caller.press(key)
        destination = await service.network.picked_up(to)
        await hear_each_other(caller, destination, DESTINATION_HZ)
        await caller.hang_up()
        record = await service.record(number)
    (notice,) = of_kind(service, number, "notice")
    assert (notice["result"], notice["answer"], notice["policy"]) == (result, key, policy)
    recorded = result == "heard"
    assert are_of(seen, record.call_id) == ({"-rec1.part"} if recorded else set())
    assert len(of_kind(service, number, "rec_start")) == recorded
    waited = record.legs[0].began - datetime.fromisoformat(notice["ended"])
    assert abs(waited - timedelta(seconds=0 if key else 5)) < timedelta(seconds=1) + late()


async def test_where_the_announcement_cannot_be_played_the_call_goes_on_unrecorded(service: Service) -> None:
    service.forgiven.add("call_not_recorded")
    house = service.house
    prompt = house.routing / "prompts" / "lost.wav"
    write_wav(prompt, tone((NOTICE_HZ,), 7777))
    to = service.destination(Answers(says=(DESTINATION_HZ,)))
    number = recorded_number(house, to, recording_notice="lost")
    sha256 = hashlib.sha256(prompt.read_bytes()).hexdigest()
    (published,) = (house.state / "prompts").glob(f"{sha256}*.wav")
    published.unlink()
    async with watched(house.endpoint.recordings) as seen:
        caller = await service.call(number)
        await hear_each_other(caller, await service.network.picked_up(to), DESTINATION_HZ)
        await caller.hang_up()
        record = await service.record(number)
    (notice,) = of_kind(service, number, "notice")
    assert (notice["result"], notice["why"]) == ("failed", "the announcement was not heard to its end")
    assert (record.outcome, record.recording_id) == ("answered", "")
    assert not any(name.startswith(record.call_id) for name in seen)
