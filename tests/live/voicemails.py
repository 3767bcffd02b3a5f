"""Callers who leave a message, and what lies in Asterisk's spool of it."""

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from devkit.audio import RATE, Samples, correlation, level, read_wav
from devkit.handset import Handset
from journal.entries import BY_ENGINE
from tests.lateness import PATIENCE
from tests.live.agreed import PROMPTS
from tests.live.followed import Json
from tests.live.service import Service, until

GREETING_HZ, BEEP_HZ = PROMPTS["closed"], 1000
VOICES = Path(__file__).resolve().parents[2] / "config" / "voices"
ABSENT = 0.01
VOICEMAILS: dict[str, dict[str, Any]] = {
    "spoken": {"greeting": "closed"},
    "closed": {"greeting": "closed"},
    "usual": {},
    "restless": {"greeting": "closed", "silence": 2},
    "short": {"greeting": "closed", "seconds": 10},
    "wordy": {"greeting": "long"},
}


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


async def after_the_beep(service: Service, number: str, spool: Spool) -> tuple[Handset, str]:
    """A caller who may speak now, and the id of the message."""
    before = len(service.journal(number))
    caller = await service.call(number, says=())
    await caller.hears(BEEP_HZ)
    await until(lambda: "vm_start" in kinds(service.journal(number)[before:]))
    audio_id = str(service.journal(number)[-1]["audio"])
    await until(lambda: spool.holds(audio_id))
    spool.keep(audio_id)
    return caller, audio_id


def kinds(entries: list[Json]) -> list[str]:
    """What the engine has noted, in order, without what CEL says: that comes when it comes."""
    return [entry["kind"] for entry in entries if not is_of_cel(entry, entries)]


def is_of_cel(entry: Json, entries: list[Json]) -> bool:
    """CEL's word of the caller's end; and of the answer, if the engine's own word of it is there as well."""
    if entry["kind"] == "caller_left":
        return True
    answers = [it for it in entries if it["kind"] == "answered" and it["call"] == entry["call"]]
    return entry in answers and entry["to"] == BY_ENGINE and len(answers) > 1


def of_kind(entries: list[Json], kind: str) -> Json:
    (entry,) = (entry for entry in entries if entry["kind"] == kind)
    return entry


def of_call(entries: list[Json], audio_id: str) -> list[Json]:
    return [entry for entry in entries if audio_id.startswith(entry["call"])]


async def said(caller: Handset, seconds: float) -> None:
    """Wait until the caller has said so much of the sound: the telephones of a busy machine are late."""
    await until(lambda: caller.spoken >= seconds, seconds + PATIENCE)
    await asyncio.sleep(0.1)  # its last packets are on their way


def assert_heard(sound: Samples, file: Path) -> None:
    """The file holds that sound, as A-law has left it, and nothing of what the caller heard."""
    recorded = read_wav(file)
    assert likeness(sound, recorded) > 0.95
    assert level(recorded, BEEP_HZ) < ABSENT
    assert level(recorded, GREETING_HZ) < ABSENT


def assert_told(caller: Handset, text: str) -> None:
    """The caller has heard that text of callengine's own, in English. (One not heard comes to 0.4.)"""
    assert likeness(read_wav(VOICES / "en" / f"{text}.wav"), caller.heard) > 0.7


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
    assert not (await caller.wait_ended(2 * PATIENCE)).by_us
    await until(lambda: "call_end" in kinds(of_call(service.journal(number), audio_id)))
    return Left(caller, of_call(service.journal(number), audio_id), spool.keep(audio_id))
