"""`callengine listen`: what a caller would hear, in the right order, at the second that the timeline says."""

import wave
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

import config
from cli.commands.listen import command
from cli.listening import RATE, RINGING_HZ, Samples, ringing
from config.prompts import VOICES
from devkit.audio import correlation, level, read_wav, tone, write_wav
from tests.unit.folders import NUMBER, good_folder

SAMPLES = Path(config.__file__).parent / "samples"
WELCOME = 880


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A number that says a tone, then rings, then takes a message."""
    folder = good_folder(tmp_path / "routing")
    (folder / "owners" / "acme.yaml").write_text("name: ACME\nlanguage: en\nmail: a@acme.example\n")
    (folder / "numbers" / "main.yaml").write_text(f"{NUMBER}  - voicemail: {{}}\n")
    write_wav(folder / "prompts" / "welcome.wav", tone((WELCOME,), RATE))
    return folder


def listen(folder: Path, out: Path, *options: str, number: str = "+3270012345") -> Result:
    return CliRunner().invoke(command, [str(folder), number, "--out", str(out), *options])


def read(file: Path) -> Samples:
    with wave.open(str(file)) as sound:
        assert (sound.getframerate(), sound.getsampwidth(), sound.getnchannels()) == (RATE, 2, 1)
        return np.frombuffer(sound.readframes(sound.getnframes()), np.int16)


def test_a_caller_hears_the_prompt_then_ringing_then_greeting_and_beep(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "heard.wav"
    done = listen(folder, out, "--at", "2026-11-24 10:00", "--outcome", "no_answer")
    assert done.exit_code == 0, done.output
    heard = read(out)
    assert level(heard[:RATE], WELCOME) > 0.05
    assert level(heard[RATE : 2 * RATE], RINGING_HZ) > 0.05
    assert level(heard[RATE : 2 * RATE], WELCOME) < 0.01
    assert level(heard[2 * RATE : 5 * RATE], RINGING_HZ) < 0.01, "between two rings"
    greeting = read_wav(VOICES / "en" / "greeting.wav")
    assert correlation(greeting, heard[26 * RATE :]) > 0.95
    lines = done.output.splitlines()
    assert lines[:3] == [
        "  0:00.0  prompt welcome (1.0 s)",
        "  0:01.0  +3221112233 rings: ringing (25.0 s)",
        "  0:26.0  no_answer",
    ]
    assert lines[3].startswith("  0:26.0  prompt greeting (")
    assert "the caller speaks: a message of at most 180 s (3.0 s)" in lines[5]
    assert lines[6].endswith("the call ends: voicemail")
    assert lines[7] == f"{out}: {len(heard) / RATE:.1f} s"


def test_who_answers_ends_it(folder: Path, tmp_path: Path) -> None:
    done = listen(folder, tmp_path / "heard.wav")
    assert done.output.splitlines()[1:4] == [
        "  0:01.0  +3221112233 rings: ringing (5.0 s)",
        "  0:06.0  taken",
        "  0:06.0  the call ends: answered",
    ]


def test_a_recorded_call_is_announced_before_it_rings(folder: Path, tmp_path: Path) -> None:
    (folder / "numbers" / "main.yaml").write_text(NUMBER + "record: announce\n")
    done = listen(folder, tmp_path / "heard.wav")
    assert "prompt recording-announcement" in done.output.splitlines()[1]


def test_music_is_heard_instead_of_ringing(folder: Path, tmp_path: Path) -> None:
    text = NUMBER.replace("ring: +3221112233", "ring: {to: +3221112233, music: welcome}")
    (folder / "numbers" / "main.yaml").write_text(f"{text}  - wait: 2\n")
    done = listen(folder, tmp_path / "heard.wav", "--outcome", "no_answer")
    heard = read(tmp_path / "heard.wav")
    assert level(heard[20 * RATE : 21 * RATE], WELCOME) > 0.05
    assert "rings: music welcome (25.0 s)" in done.output
    assert "  0:26.0  wait: ringing (2.0 s)" in done.output


def test_a_menu_is_heard_again_without_a_key_and_in_the_language_chosen(tmp_path: Path) -> None:
    out = tmp_path / "heard.wav"
    done = listen(SAMPLES / "provider", out, number="+3280054322")
    assert done.output.count("prompt choose (") == 2, "tries: 2"
    done = listen(SAMPLES / "provider", out, "--press", "1", "--press", "1", number="+3280054322")
    assert done.exit_code == 0, done.output
    assert "menu: from now on in fr" in done.output


def test_ringing_is_one_second_of_each_four() -> None:
    tones = ringing(8)
    assert [bool(np.any(tones[n * RATE + 10 : (n + 1) * RATE])) for n in range(8)] == [
        True,
        False,
        False,
        False,
    ] * 2


def test_a_file_that_cannot_be_written_is_told(folder: Path, tmp_path: Path) -> None:
    done = listen(folder, tmp_path / "nowhere" / "heard.wav")
    assert done.exit_code == 1
    assert "cannot be written" in done.output
