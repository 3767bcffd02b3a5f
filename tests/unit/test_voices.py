"""Every built-in prompt is there in every language, as its manifest says, and fit for a telephone line."""

import json
import math
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import config
from config.prompts import read_prompt

VOICES = Path(config.__file__).parent / "voices"
LANGUAGES = {"nl", "fr", "de", "es", "en"}
TEXTS = tomllib.loads((VOICES / "texts.toml").read_text("utf-8"))
MANIFEST = json.loads((VOICES / "manifest.json").read_text("utf-8"))
SPOKEN = [entry for entry in MANIFEST if entry["language"]]

Entry = dict[str, Any]
every_prompt = pytest.mark.parametrize("entry", MANIFEST, ids=lambda entry: entry["file"])
every_spoken_prompt = pytest.mark.parametrize("entry", SPOKEN, ids=lambda entry: entry["file"])


def test_every_text_is_in_every_language() -> None:
    assert set(TEXTS) >= {"greeting", "goodbye", "mailbox-full", "recording-announcement"}
    assert {name: set(translations) for name, translations in TEXTS.items()} == dict.fromkeys(
        TEXTS, LANGUAGES
    )


def test_every_text_is_spoken_as_it_is_written() -> None:
    said = {(entry["id"], entry["language"]): entry["text"] for entry in SPOKEN}
    assert said == {(name, language): text for name, by in TEXTS.items() for language, text in by.items()}


def test_the_manifest_lists_the_files_there_are() -> None:
    assert sorted(entry["file"] for entry in MANIFEST) == sorted(
        file.relative_to(VOICES).as_posix() for file in VOICES.rglob("*.wav")
    )
    assert "beep.wav" in {entry["file"] for entry in MANIFEST}


@every_prompt
def test_a_file_is_the_one_that_was_rendered(entry: Entry) -> None:
    prompt = read_prompt(VOICES / entry["file"])  # raises what Asterisk would not play
    assert (prompt.sha256, round(prompt.seconds, 3)) == (entry["sha256"], entry["seconds"])


@every_prompt
def test_a_prompt_may_be_shipped(entry: Entry) -> None:
    assert entry["licence"] in {"Apache-2.0", "our own"}


@every_spoken_prompt
def test_a_language_without_a_voice_of_its_own_is_marked(entry: Entry) -> None:
    assert entry["placeholder"] == (entry["language"] in {"nl", "de"})


@every_prompt
def test_a_prompt_is_as_loud_as_the_others_and_never_clips(entry: Entry) -> None:
    sound = samples(entry["file"])
    assert -23 < decibels(speaking(sound)) < -18
    assert decibels(np.abs(sound).max()) < -3


@every_spoken_prompt
def test_nobody_waits_for_a_prompt_to_begin_or_to_end(entry: Entry) -> None:
    loud = np.flatnonzero(np.abs(samples(entry["file"])) > 0.01)
    assert loud[0] < 0.15 * 8000
    assert entry["seconds"] * 8000 - loud[-1] < 0.25 * 8000
    assert 1 < entry["seconds"] < 8


def test_the_prompts_stay_small() -> None:
    assert sum(file.stat().st_size for file in VOICES.rglob("*.wav")) < 3_000_000


def samples(file: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    data = (VOICES / file).read_bytes()
    return np.frombuffer(data, "<i2", offset=44) / 32768


def speaking(sound: np.ndarray[Any, np.dtype[np.float64]]) -> float:
    """RMS of the 20 ms frames within 30 dB of the loudest."""
    power = np.mean(sound[: len(sound) // 160 * 160].reshape(-1, 160) ** 2, axis=1)
    return float(np.sqrt(power[power > power.max() / 1000].mean()))


def decibels(of_full_scale: float) -> float:
    return 20 * math.log10(of_full_scale)
