"""Conversations as they are recorded: what is in the two files, and what is not, whatever is done meanwhile.

The worker takes the files away as soon as the call is over; a second link to each keeps it for the test.
"""

import asyncio
import hashlib
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from engine.dev.audio import RATE, Samples, level, levels, read_wav, tone, write_wav
from engine.dev.carrier import Answers
from engine.dev.handset import Handset
from engine.dev.parts import ended
from tests.live.ari import ask
from tests.live.conversation import hear_each_other
from tests.live.recordings import NOTICE_HZ, instant, of_kind, recorded_number, watched
from tests.live.service import House, Json, Service, until

BEFORE_HZ, CALLER_HZ, DESTINATION_HZ = 440, 880, 1000
ABSENT = 0.001  # -60 dB
PRESENT = 0.25
NEAR = timedelta(milliseconds=40)
BUSY = timedelta(milliseconds=250)  # what an engine beside others' tests may be late by


@dataclass
class Spool:
    """Asterisk's recordings, and links that keep what the worker takes away."""

    folder: Path
    kept: Path

    def keep(self, call_id: str) -> tuple[Path, Path]:
        """What the caller said and what he heard, from the moment both are there."""
        names = [f"{call_id}-rec1-{way}.wav" for way in ("in", "out")]
        for name in names:
            if not (self.kept / name).exists():
                os.link(self.folder / name, self.kept / name)
        return self.kept / names[0], self.kept / names[1]


@pytest.fixture
def spool(house: House, tmp_path: Path) -> Iterator[Spool]:
    yield Spool(house.endpoint.recordings, tmp_path)
    for link in tmp_path.glob("*.wav"):
        link.unlink()


@dataclass
class Conversation:
    """Two who talk, and are recorded."""

    service: Service
    number: str
    caller: Handset
    destination: Handset
    files: tuple[Path, Path]

    def noted(self, kind: str) -> list[Json]:
        return of_kind(self.service, self.number, kind)

    async def over(self) -> tuple[Samples, Samples]:
        """Let the caller hang up; what was recorded of him, and of the other."""
        await self.caller.hang_up()
        await self.destination.wait_ended()
        await until(lambda: self.noted("call_end"))
        return read_wav(self.files[0]), read_wav(self.files[1])


async def recorded(service: Service, spool: Spool, **settings: str) -> Conversation:
    """A conversation of a caller who says 880 Hz, 440 Hz before he has heard that he is recorded."""
    to = service.destination(Answers(after=0.5, says=(DESTINATION_HZ,)))
    number = recorded_number(service.house, to, **settings)
    caller = await service.call(number, says=(BEFORE_HZ,))
    await until(lambda: of_kind(service, number, "notice"), 10)
    caller.say(CALLER_HZ)
    destination = await service.network.picked_up(to)
    await asyncio.gather(caller.hears(DESTINATION_HZ), destination.hears(CALLER_HZ))
    (start,) = of_kind(service, number, "rec_start")
    files = spool.keep(start["call"])
    return Conversation(service, number, caller, destination, files)


async def test_each_is_in_his_own_file_from_answer_to_end_and_nothing_from_before(
    service: Service, spool: Spool
) -> None:
    it = await recorded(service, spool, keep_recordings="2 weeks")
    assert [bridge["technology"] for bridge in ask(service.house.endpoint, "/bridges")] == ["simple_bridge"]
    await asyncio.sleep(4)
    said, heard = await it.over()
    assert are_as_long(said, heard)
    assert np.median(levels(said, CALLER_HZ)) > PRESENT
    assert np.median(levels(heard, DESTINATION_HZ)) > PRESENT
    for sound, others in ((said, (DESTINATION_HZ,)), (heard, (CALLER_HZ,))):
        for hz in (BEFORE_HZ, NOTICE_HZ, *others):
            assert level(sound, hz) < ABSENT, f"{hz} Hz"
    record = await service.record(it.number)
    (start,), (end,) = it.noted("rec_start"), it.noted("rec_end")
    assert (start["keep_seconds"], start["format"]) == (14 * 86400, "flac")
    assert start["audio"] == end["audio"] == f"{record.call_id}-rec1"


async def test_it_is_as_long_as_the_talk(service: Service, spool: Spool) -> None:
    """The nearest of five: a busy machine is late now and then."""
    differences = []
    for _ in range(5):
        it = await recorded(service, spool)
        said, _ = await it.over()
        record = await service.record(it.number)
        differences.append(abs(timedelta(seconds=len(said) / RATE) - record.talk))
        if differences[-1] < NEAR:
            return
    pytest.fail(f"{differences}")


def are_as_long(said: Samples, heard: Samples, frames: int = 1) -> bool:
    """To a frame of 20 ms: each begins and ends with a frame of its own channel."""
    return abs(len(said) - len(heard)) <= frames * RATE // 50


async def test_the_announcement_is_heard_unanswered_and_is_the_evidence(
    service: Service, spool: Spool
) -> None:
    it = await recorded(service, spool)
    heard = np.flatnonzero(np.array(levels(it.caller.heard, NOTICE_HZ)) > 0.1)
    assert 18 <= len(heard) <= 21, "2.0 s of it"
    await it.over()
    (notice,), record = it.noted("notice"), await service.record(it.number)
    file = service.house.routing / "prompts" / "long.wav"
    assert notice["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert (notice["result"], notice["announcement"], notice["language"]) == ("heard", "long", "en")
    took = datetime.fromisoformat(notice["ended"]) - datetime.fromisoformat(notice["began"])
    assert abs(took - timedelta(seconds=2)) < timedelta(seconds=0.2)
    assert record.answered is not None
    assert record.ended is not None
    assert instant(notice) < record.legs[0].began < record.answered < record.ended


async def test_both_files_run_side_by_side(service: Service, spool: Spool) -> None:
    """Both say the same bursts at the same time; the telephones' own frames are 20 ms."""
    it = await recorded(service, spool)
    it.caller.say()
    it.destination.say()
    for _ in range(7):
        await asyncio.sleep(0.4)
        for handset in (it.caller, it.destination):
            handset.say(CALLER_HZ)
        await asyncio.sleep(0.3)
        for handset in (it.caller, it.destination):
            handset.say()
    await asyncio.sleep(0.3)
    said, heard = (onsets(sound, CALLER_HZ)[-7:] for sound in await it.over())
    assert abs(np.median(np.array(said) - np.array(heard))) <= 0.03


def onsets(sound: Samples, hz: float) -> list[float]:
    """When that tone begins, in seconds, each time."""
    there = np.array(levels(sound, hz, 0.005)) > 0.1
    return [float(at) * 0.005 for at in np.flatnonzero(np.diff(there.astype(int)) == 1)]


@pytest.mark.parametrize(
    ("policy", "key", "result"),
    [
        ("opt_in", "", "refused"),
        ("opt_in", "1", "heard"),
        ("opt_out", "1", "refused"),
        ("opt_out", "", "heard"),
    ],
)
async def test_who_is_asked_is_recorded_only_as_he_answers(
    service: Service, spool: Spool, policy: str, key: str, result: str
) -> None:
    to = service.destination(Answers(says=(DESTINATION_HZ,)))
    number = recorded_number(service.house, to, policy)
    async with watched(spool.folder) as seen:
        caller = await service.call(number)
        await caller.hears(NOTICE_HZ)
        if key:
            await caller.press(key)
        destination = await service.network.picked_up(to, seconds=10)
        await hear_each_other(caller, destination, DESTINATION_HZ)
        await caller.hang_up()
        record = await service.record(number)
    (notice,) = of_kind(service, number, "notice")
    assert (notice["result"], notice["answer"], notice["policy"]) == (result, key, policy)
    recorded = result == "heard"
    files = {f"{record.call_id}-rec1-{way}.wav" for way in ("in", "out")} if recorded else set()
    assert {name for name in seen if name.startswith(record.call_id)} == files
    assert len(of_kind(service, number, "rec_start")) == recorded
    waited = record.legs[0].began - datetime.fromisoformat(notice["ended"])
    assert abs(waited - timedelta(seconds=0 if key else 5)) < timedelta(seconds=0.2)


async def test_where_the_announcement_cannot_be_played_the_call_goes_on_unrecorded(
    service: Service, spool: Spool
) -> None:
    service.forgiven.add("call_not_recorded")
    house = service.house
    prompt = house.routing / "prompts" / "lost.wav"
    write_wav(prompt, tone((NOTICE_HZ,), 7777))
    to = service.destination(Answers(says=(DESTINATION_HZ,)))
    number = recorded_number(house, to, recording_notice="lost")
    sha256 = hashlib.sha256(prompt.read_bytes()).hexdigest()
    (published,) = (house.state / "prompts").glob(f"{sha256}*.wav")
    published.unlink()
    async with watched(spool.folder) as seen:
        caller = await service.call(number)
        await hear_each_other(caller, await service.network.picked_up(to), DESTINATION_HZ)
        await caller.hang_up()
        record = await service.record(number)
    (notice,) = of_kind(service, number, "notice")
    assert (notice["result"], notice["why"]) == ("failed", "the announcement was not heard to its end")
    assert (record.outcome, record.recording_id) == ("answered", "")
    assert not any(name.startswith(record.call_id) for name in seen)


# Keys.


async def test_what_is_said_in_a_pause_is_digital_silence_and_the_time_goes_on(
    service: Service, spool: Spool
) -> None:
    it = await recorded(service, spool)
    await asyncio.sleep(1)
    await it.destination.press("*1")
    await until(lambda: it.noted("rec_pause"))
    await asyncio.sleep(2)
    await it.destination.press("*1")
    await until(lambda: it.noted("rec_resume"))
    await asyncio.sleep(1)
    said, heard = await it.over()
    record = await service.record(it.number)
    assert record.answered is not None
    assert are_as_long(said, heard)
    assert abs(timedelta(seconds=len(said) / RATE) - record.talk) < BUSY
    begin, end = (
        (instant(entry) - record.answered).total_seconds()
        for entry in (*it.noted("rec_pause"), *it.noted("rec_resume"))
    )
    for sound, hz in ((said, CALLER_HZ), (heard, DESTINATION_HZ)):
        paused = sound[round((begin + 0.06) * RATE) : round((end - 0.06) * RATE)]
        assert len(paused) > 1.9 * RATE
        assert not paused.any()
        # Who presses keys says nothing meanwhile, for some 0.4 s.
        assert level(sound[round((begin - 1.0) * RATE) : round((begin - 0.7) * RATE)], hz) > PRESENT
        assert level(sound[round((end + 0.3) * RATE) :], hz) > PRESENT


async def test_the_caller_stops_it_for_good_and_talks_on(service: Service, spool: Spool) -> None:
    it = await recorded(service, spool, caller_may_stop="true")
    await asyncio.sleep(1)
    await it.caller.press("*9")
    await until(lambda: it.noted("rec_end"))
    size = it.files[0].stat().st_size
    await hear_each_other(it.caller, it.destination, DESTINATION_HZ, CALLER_HZ)
    await it.destination.press("*1*1")
    await asyncio.sleep(1)
    said, _ = await it.over()
    assert it.files[0].stat().st_size == size
    (stop,), record = it.noted("rec_stop"), await service.record(it.number)
    assert stop["how"] == "key"
    assert record.answered is not None
    assert abs(timedelta(seconds=len(said) / RATE) - (instant(stop) - record.answered)) < BUSY
    assert record.talk > timedelta(seconds=len(said) / RATE + 0.9)
    assert it.noted("rec_pause") == []


# Engines that do not live to its end.


async def killed(service: Service) -> None:
    process = service.house.engine.process
    assert process is not None
    process.send_signal(signal.SIGKILL)
    async with asyncio.timeout(5):
        await ended(process)


@pytest.mark.parametrize("paused", [False, True], ids=["recording", "paused"])
async def test_the_recording_goes_on_without_an_engine_and_ends_with_the_next(
    service: Service, spool: Spool, paused: bool
) -> None:
    it = await recorded(service, spool)
    if paused:
        await it.destination.press("*1")
        await until(lambda: it.noted("rec_pause"))
    await killed(service)
    await asyncio.sleep(1)
    await service.house.engine.start()
    if paused:
        await it.destination.press("*1")
        await until(lambda: it.noted("rec_resume"))
    await asyncio.sleep(1)
    said, heard = await it.over()
    record = await service.record(it.number)
    assert are_as_long(said, heard, frames=4), "an engine that starts takes both cores"
    assert abs(timedelta(seconds=len(said) / RATE) - record.talk) < BUSY
    silence = np.array(levels(said, CALLER_HZ)) < ABSENT
    assert np.count_nonzero(silence[5:-5]) > 10 if paused else not silence[5:-5].any()
    assert len(it.noted("rec_start")) == len(it.noted("rec_end")) == 1


async def test_who_hangs_up_while_no_engine_is_there_has_ended_the_recording(
    service: Service, spool: Spool
) -> None:
    it = await recorded(service, spool)
    await asyncio.sleep(1)
    await killed(service)
    await it.caller.hang_up()
    await it.caller.wait_ended()
    await service.house.engine.start()
    said, heard = await it.over()
    record = await service.record(it.number)
    assert are_as_long(said, heard, frames=4), "an engine that starts takes both cores"
    assert abs(timedelta(seconds=len(said) / RATE) - record.talk) < BUSY
    (end,) = it.noted("rec_end")
    assert record.ended is not None
    assert abs(instant(end) - record.ended) < BUSY
