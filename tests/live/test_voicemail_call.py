"""Messages as they are left: what the caller hears, what lies in Asterisk's spool, what the journal says.

The worker takes the sound away as soon as the call is over; a second link to the file keeps it for the test.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from devkit.audio import RATE, Samples, correlation, level, levels, read_wav
from devkit.handset import Handset
from devkit.parts import Part, ended
from tests.live.service import PROMPTS, House, Json, Service, until

GREETING_HZ, BEEP_HZ = PROMPTS["closed"], 1000
VOICES = Path(__file__).resolve().parents[2] / "config" / "voices"
ABSENT = 0.01
ENDS = pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "stopped"])


def babble(seconds: float) -> Samples:
    """Like speech to a telephone: noise of its band, in syllables; the same each time."""
    size = round(seconds * RATE)
    spectrum = np.fft.rfft(np.random.default_rng(1876).normal(size=size))
    hz = np.fft.rfftfreq(size, 1 / RATE)
    spectrum[(hz < 300) | (hz > 3000)] = 0
    sound = np.fft.irfft(spectrum, size) * (0.55 + 0.45 * np.sin(2 * np.pi * 4 * np.arange(size) / RATE))
    samples: Samples = (sound / np.max(np.abs(sound)) * 16000).astype(np.int16)
    return samples


def likeness(said: Samples, heard: Samples) -> float:
    """How much of `said` is in `heard`, half a second at a time: 1.0 for all of it.

    A telephone on a busy machine drops or doubles a frame now and then, and what follows is 20 ms off.
    """
    half = RATE // 2
    pieces = [said[at : at + half] for at in range(0, len(said) - half + 1, half)]
    return float(np.mean([correlation(piece, heard) for piece in pieces]))


@dataclass
class Spool:
    """Asterisk's recordings, and links that keep what the worker takes away."""

    folder: Path
    kept: Path

    def keep(self, audio_id: str) -> Path:
        """A second name for the file, which lies there from the moment it is recorded to."""
        link = self.kept / f"{audio_id}.wav"
        if not link.exists():
            os.link(self.folder / f"{audio_id}.wav", link)
        return link

    def holds(self, audio_id: str) -> bool:
        return (self.folder / f"{audio_id}.wav").exists()


@pytest.fixture
def spool(house: House, tmp_path: Path) -> Iterator[Spool]:
    yield Spool(house.endpoint.recordings, tmp_path)
    for link in tmp_path.glob("*.wav"):
        link.unlink()


@pytest.fixture(scope="module")
def numbers(house: House) -> dict[str, str]:
    """Service numbers by what their voicemail is like."""
    routes: dict[str, dict[str, Any]] = {
        "spoken": {"greeting": "closed"},
        "closed": {"greeting": "closed"},
        "usual": {},
        "restless": {"greeting": "closed", "silence": 2},
        "short": {"greeting": "closed", "seconds": 10},
        "wordy": {"greeting": "long"},
    }
    return dict(zip(routes, house.agree(*([{"voicemail": it}] for it in routes.values())), strict=True))


async def after_the_beep(service: Service, number: str, spool: Spool) -> tuple[Handset, str]:
    """A caller who may speak now, and the id of the message."""
    before = len(service.journal(number))
    caller = await service.call(number, says=())
    await caller.hears(BEEP_HZ, 15)
    await until(lambda: "vm_start" in kinds(service.journal(number)[before:]))
    audio_id = str(service.journal(number)[-1]["audio"])
    await until(lambda: spool.holds(audio_id))
    spool.keep(audio_id)
    return caller, audio_id


def kinds(entries: list[Json]) -> list[str]:
    """What the engine has noted, in order; CEL's word of the caller's end comes when it comes."""
    return [entry["kind"] for entry in entries if entry["kind"] != "caller_left"]


def of_kind(entries: list[Json], kind: str) -> Json:
    (entry,) = (entry for entry in entries if entry["kind"] == kind)
    return entry


def of_call(entries: list[Json], audio_id: str) -> list[Json]:
    return [entry for entry in entries if audio_id.startswith(entry["call"])]


async def said(caller: Handset, seconds: float) -> None:
    """Let so much of what the caller says be said."""
    await asyncio.sleep(seconds + 0.1)  # 60 ms of it are ahead of the line


def assert_heard(sound: Samples, file: Path) -> None:
    """The file holds that sound, as A-law has left it, and nothing of what the caller heard."""
    recorded = read_wav(file)
    assert likeness(sound, recorded) > 0.95
    assert level(recorded, BEEP_HZ) < ABSENT
    assert level(recorded, GREETING_HZ) < ABSENT


def assert_told(caller: Handset, text: str) -> None:
    """The caller has heard that text of callengine's own, in English. (One not heard comes to 0.4.)"""
    assert likeness(read_wav(VOICES / "en" / f"{text}.wav"), caller.heard) > 0.7


async def test_six_seconds_are_recorded_as_they_are_spoken(
    service: Service, numbers: dict[str, str], spool: Spool
) -> None:
    number, sound = numbers["spoken"], babble(6)
    caller, audio_id = await after_the_beep(service, number, spool)
    assert caller.answered is not None
    caller.play(sound)
    await said(caller, 6)
    await caller.hang_up()
    record = await service.record(number)
    assert (record.outcome, record.ended_by, record.delivered_to) == ("voicemail", "caller", "voicemail")
    assert record.message_id == audio_id == f"{record.call_id}-vm1"
    assert record.answered is not None
    assert abs(record.answered - caller.answered) < timedelta(milliseconds=50)
    entries = service.journal(number)
    assert kinds(entries) == ["call_start", "answered", "vm_start", "vm_end", "call_end"]
    assert of_kind(entries, "vm_end")["how"] == "hangup"
    assert of_kind(entries, "vm_start")["deliver"]["to"] == ["office@acme.example"]
    assert_heard(sound, spool.keep(audio_id))


async def test_the_caller_hears_the_greeting_then_the_beep_then_nothing(
    service: Service, numbers: dict[str, str], spool: Spool
) -> None:
    caller, _ = await after_the_beep(service, numbers["closed"], spool)
    await said(caller, 1)
    await caller.hang_up()
    greeting, beep = (np.array(levels(caller.heard, hz)) > 0.1 for hz in (GREETING_HZ, BEEP_HZ))
    first, last = np.flatnonzero(greeting)[[0, -1]], np.flatnonzero(beep)[[0, -1]]
    assert first[1] < last[0] < last[1] < len(beep) - 5
    assert level(caller.heard[(last[1] + 2) * RATE // 10 :], BEEP_HZ) < ABSENT


@dataclass
class Left:
    """A message as it was left: by whom, what the journal says of it, and its file."""

    caller: Handset
    entries: list[Json]
    file: Path

    @property
    def ends(self) -> tuple[str, str, str]:
        """How the message ended, by whom the call, and what it came to."""
        end = of_kind(self.entries, "call_end")
        return of_kind(self.entries, "vm_end")["how"], end["ended_by"], end["outcome"]


async def leave(service: Service, number: str, spool: Spool, sound: Samples, keys: str = "") -> Left:
    """Say that after the beep, press the keys, and let the service end the call."""
    caller, audio_id = await after_the_beep(service, number, spool)
    caller.play(sound)
    if keys:
        await said(caller, len(sound) / RATE)
        await caller.press(keys)
    assert not (await caller.wait_ended(20)).by_us
    return Left(caller, of_call(service.journal(number), audio_id), spool.keep(audio_id))


async def test_whatever_ends_a_message_the_caller_is_told_goodbye(
    service: Service, numbers: dict[str, str], spool: Spool
) -> None:
    spoken = babble(12)
    key, silence, limit = await asyncio.gather(
        leave(service, numbers["usual"], spool, spoken[: 2 * RATE], keys="#"),
        leave(service, numbers["restless"], spool, spoken[: 2 * RATE]),
        leave(service, numbers["short"], spool, spoken),
    )
    assert key.ends == ("key", "engine", "voicemail")
    assert silence.ends == ("silence", "engine", "voicemail")
    assert limit.ends == ("limit", "engine", "voicemail")
    for left, seconds in ((key, 2), (silence, 2), (limit, 10)):
        assert_told(left.caller, "goodbye")
        assert_heard(spoken[: seconds * RATE], left.file)
    assert_told(key.caller, "greeting")


async def test_the_limit_is_announced_to_the_caller_and_not_in_the_message(
    service: Service, numbers: dict[str, str], spool: Spool
) -> None:
    caller, audio_id = await after_the_beep(service, numbers["short"], spool)
    began = len(caller.heard)
    caller.say(500)
    await until(lambda: len(caller.heard) > began + 7 * RATE, 10)
    await caller.hang_up()
    beeps = np.flatnonzero(np.array(levels(caller.heard[began:], BEEP_HZ)) > 0.1)
    warning = beeps[beeps > 10]  # tenths of a second
    assert 48 <= warning[0] <= 55, "in the middle of 10 s"
    assert 5 <= len(warning) <= 12, "two beeps"
    assert max(levels(read_wav(spool.keep(audio_id)), BEEP_HZ)) < ABSENT


async def test_who_hangs_up_in_the_greeting_leaves_no_message(
    service: Service, numbers: dict[str, str]
) -> None:
    number = numbers["wordy"]
    before = len(await service.records(number, 0))
    caller = await service.call(number)
    await caller.hears(PROMPTS["long"])
    await caller.hang_up()
    record = (await service.records(number, before + 1))[-1]
    assert (record.outcome, record.ended_by, record.message_id) == ("voicemail", "caller", "")
    assert kinds([it for it in service.journal(number) if it["call"] == record.call_id]) == [
        "call_start",
        "answered",
        "call_end",
    ]


async def test_who_cannot_leave_a_message_is_told_so_and_is_not_answered(
    service: Service, numbers: dict[str, str], spool: Spool
) -> None:
    service.forgiven |= {"message_declined", "disk_troubled"}
    number, away = numbers["usual"], spool.folder.with_name("away")
    before = len(service.journal(number))
    spool.folder.rename(away)
    try:
        caller = await service.call(number)
        ending = await caller.wait_ended(15)
    finally:
        away.rename(spool.folder)
    assert (caller.answered, ending.code) == (None, 500)
    assert_told(caller, "mailbox-full")
    entries = service.journal(number)[before:]
    assert kinds(entries) == ["call_start", "turn", "step", "call_end"]
    assert of_kind(entries, "turn")["why"].startswith("no message taken: asterisk.recordings")
    assert of_kind(entries, "call_end")["outcome"] == "failed"


# Engines and Asterisks that do not live to its end.


async def end(part: Part, how: signal.Signals) -> None:
    assert part.process is not None
    part.process.send_signal(how)
    async with asyncio.timeout(5):
        await ended(part.process)


@asynccontextmanager
async def breaking_at(house: House, failpoint: str) -> AsyncIterator[None]:
    """An engine that kills itself there. When the block ends, a sound one has come after it."""
    engine, usual = house.engine, house.engine.environment
    await end(engine, signal.SIGTERM)
    engine.environment = lambda: {**usual(), "CALLENGINE_FAILPOINT": failpoint}
    try:
        await engine.start()
        yield
        assert engine.process is not None
        async with asyncio.timeout(10):
            await ended(engine.process)
    finally:
        engine.environment = usual
        if engine.process is not None and engine.process.poll() is None:
            await end(engine, signal.SIGKILL)
        await engine.start()


async def test_a_message_has_begun_on_the_disk_before_it_is_recorded(
    service: Service, numbers: dict[str, str], spool: Spool
) -> None:
    number, sound = numbers["closed"], babble(2)
    before = len(service.journal(number))
    async with breaking_at(service.house, "voicemail.before_record"):
        caller = await service.call(number, says=())
        await caller.hears(BEEP_HZ, 10)
        await until(lambda: "vm_start" in kinds(service.journal(number)[before:]))
        audio_id = str(of_kind(service.journal(number)[before:], "vm_start")["audio"])
        assert not spool.holds(audio_id)
    await until(lambda: spool.holds(audio_id))  # the next engine: another beep, and then it is recorded
    spool.keep(audio_id)
    caller.play(sound)
    await said(caller, 2)
    await caller.hang_up()
    await until(lambda: kinds(service.journal(number)[before:])[-1] == "call_end")
    entries = service.journal(number)[before:]
    assert kinds(entries) == ["call_start", "answered", "vm_start", "vm_end", "call_end"]
    assert_heard(sound, spool.keep(audio_id))


@ENDS
async def test_every_caller_is_served_to_the_end_by_the_next_engine(
    service: Service, numbers: dict[str, str], spool: Spool, how: signal.Signals
) -> None:
    """One is in the greeting when the engine ends; one hangs up, one presses `#`, one speaks on meanwhile."""
    house, spoken, number = service.house, babble(30), numbers["closed"]
    audible = [await after_the_beep(service, number, spool) for _ in range(3)]
    (leaving, _), (pressing, _), (patient, _) = audible
    greeted = await service.call(numbers["wordy"], says=())
    await greeted.hears(PROMPTS["long"])
    for caller, _ in audible:
        caller.play(spoken)
    began = asyncio.get_running_loop().time()
    await end(house.engine, how)
    await asyncio.sleep(max(began + 3 - asyncio.get_running_loop().time(), 0))
    await leaving.hang_up()
    await pressing.press("#")
    await asyncio.sleep(0.3)  # a key is pressed for 100 ms
    await house.engine.start()
    await asyncio.gather(greeted.hears(BEEP_HZ, 15), pressing.wait_ended())
    await until(lambda: kinds(service.journal(numbers["wordy"]))[-1] == "vm_start")
    await asyncio.gather(greeted.hang_up(), patient.press("#"))
    await asyncio.gather(greeted.wait_ended(), patient.wait_ended())
    await until(service.is_empty)
    entries = {audio_id: of_call(service.journal(number), audio_id) for _, audio_id in audible}
    ends = [Left(caller, entries[audio_id], spool.keep(audio_id)) for caller, audio_id in audible]
    assert [left.ends for left in ends] == [
        ("hangup", "caller", "voicemail"),
        ("key", "engine", "voicemail"),
        ("key", "engine", "voicemail"),
    ]
    for left in ends:
        assert_heard(spoken[: 3 * RATE], left.file)
    for left in ends[1:]:
        assert_told(left.caller, "goodbye")
    assert kinds(service.journal(numbers["wordy"]))[-5:] == [
        "call_start",
        "answered",
        "vm_start",
        "vm_end",
        "call_end",
    ]


async def test_a_message_is_not_lost_with_the_asterisk_it_was_spoken_to(
    service: Service, numbers: dict[str, str], spool: Spool
) -> None:
    number = numbers["closed"]
    before = len(service.journal(number))
    caller, audio_id = await after_the_beep(service, number, spool)
    caller.play(babble(4))
    await said(caller, 4)
    await end(service.house.asterisk, signal.SIGKILL)
    await service.house.asterisk.start()
    await until(lambda: kinds(service.journal(number)[before:])[-1] == "call_end", 15)
    await caller.hang_up()
    last = of_kind(service.journal(number)[before:], "call_end")
    assert (last["outcome"], last["ended_by"]) == ("voicemail", "lost")
    assert spool.keep(audio_id).stat().st_size >= (4 - 2.1) * RATE * 2
