"""A prompt as an owner sends it, and as a caller hears it: measured."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from config.errors import UnplayableError
from config.sound import NO_SOUND, length, telephone
from tests.unit.folders import write_prompt
from tests.unit.sounds import babble, heard, loudest, peak, rms, tone, without_length, write

type Form = dict[str, Any]

KINDS: dict[str, Form] = {
    "a.mp3": {},
    "a.flac": {},
    "a.ogg": {},
    "opus.ogg": {"format": "OGG", "subtype": "OPUS"},
    "a.wav": {},
    "float.wav": {"subtype": "FLOAT"},
    "alaw.wav": {"subtype": "ALAW"},
    "extensible.wav": {"format": "WAVEX"},
}
RATES = (8_000, 16_000, 24_000, 48_000)  # those Opus knows, too
# How far below a tone its codec's own noise lies, in dB.
CLEAN = {"alaw.wav": 33, "a.ogg": 30, "opus.ogg": 48}
every_kind = pytest.mark.parametrize("name", KINDS)


def converted(file: Path) -> Any:
    return heard(telephone(file.read_bytes()))


@pytest.mark.parametrize("rate", RATES)
@every_kind
def test_a_tone_of_any_kind_is_heard_as_that_tone_and_as_loud_as_all_others(
    tmp_path: Path, name: str, rate: int
) -> None:
    sound = converted(write(tmp_path / name, tone(1000, 3, rate), rate, channels=2, **KINDS[name]))
    middle = sound[4000:-4000]
    assert len(sound) == pytest.approx(3 * 8000, abs=0.06 * 8000)  # an encoder may add a frame
    assert rms(middle) == pytest.approx(-20, abs=0.5)
    assert loudest(middle) == pytest.approx(-17, abs=0.5)
    assert max(loudest(middle, at_most=950), loudest(middle, at_least=1050)) < -17 - CLEAN.get(name, 55)


def test_an_mp3_of_44100_hz_stereo_is_within_a_decibel_of_the_target(tmp_path: Path) -> None:
    sound = converted(write(tmp_path / "a.mp3", tone(1000, 12), channels=2))
    assert rms(sound[8000:-8000]) == pytest.approx(-20, abs=1)


@pytest.mark.parametrize("hertz", [4000, 4100, 5000, 7000, 9000, 15_000, 20_000])
def test_what_a_telephone_cannot_carry_does_not_come_back_as_another_tone(
    tmp_path: Path, hertz: float
) -> None:
    both = tone(1000, 25) + tone(hertz, 25)
    sound = converted(write(tmp_path / "a.wav", both, subtype="FLOAT"))
    wanted = loudest(sound, 900, 1100)
    assert max(loudest(sound, at_most=950), loudest(sound, at_least=1050)) < wanted - 60


@pytest.mark.parametrize("hertz", [300, 1000, 2000, 3400])
def test_a_telephones_whole_band_is_kept(tmp_path: Path, hertz: float) -> None:
    both = tone(800, 3, amplitude=0.3) + tone(hertz, 3, amplitude=0.3)
    sound = converted(write(tmp_path / "a.wav", both))
    assert loudest(sound, hertz - 50, hertz + 50) == pytest.approx(loudest(sound, 750, 850), abs=0.2)


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 47_999, 192_000])
def test_no_joint_is_heard_where_one_piece_ends_and_the_next_begins(tmp_path: Path, rate: int) -> None:
    sound = converted(write(tmp_path / "a.wav", tone(440, 31, rate), rate))
    n = np.arange(len(sound))
    basis = np.stack([np.sin(2 * np.pi * 440 * n / 8000), np.cos(2 * np.pi * 440 * n / 8000)], axis=1)
    inside = slice(4000, -4000)  # a tone that begins from nothing does ring
    found, *_ = np.linalg.lstsq(basis[inside], sound[inside], rcond=None)
    assert peak((sound - basis @ found)[inside]) < -75
    assert abs(found[1]) < 0.01 * found[0]  # and in step with the original from its first sample to its last


def test_a_rate_below_the_telephones_is_carried_too(tmp_path: Path) -> None:
    sound = converted(write(tmp_path / "a.wav", tone(440, 3, 6000), 6000))
    assert len(sound) == 3 * 8000
    assert loudest(sound, 430, 450) == pytest.approx(-17, abs=0.5)


@pytest.mark.parametrize("amplitude", [0.005, 0.05, 1.0])
def test_speech_quiet_or_loud_is_heard_equally_loud_and_never_clips(tmp_path: Path, amplitude: float) -> None:
    file = write(tmp_path / "a.flac", np.clip(babble(5, amplitude=amplitude), -1, 1))
    sound = converted(file)
    assert rms(sound) == pytest.approx(-20.5, abs=1)  # its pauses are in it
    assert peak(sound) < -3


def test_pauses_do_not_make_a_text_louder(tmp_path: Path) -> None:
    spoken = babble(3)
    with_pauses = np.concatenate([np.zeros(44_100 * 9), spoken, np.zeros(44_100 * 9)])
    sound = converted(write(tmp_path / "a.wav", with_pauses))
    assert rms(sound[8000 * 9 : 8000 * 12]) == pytest.approx(
        rms(converted(write(tmp_path / "b.wav", spoken))), abs=0.2
    )


def test_a_knock_is_turned_down_and_the_text_around_it_is_not(tmp_path: Path) -> None:
    sound = tone(1000, 3, amplitude=0.05)
    sound[66_150:66_155] = 1.0
    heard_so = converted(write(tmp_path / "a.wav", sound))
    assert peak(heard_so) < -3
    assert peak(heard_so[:11_900]) == pytest.approx(peak(heard_so[12_200:]), abs=0.5)


def test_a_constant_in_the_sound_is_not_taken_for_loudness(tmp_path: Path) -> None:
    sound = converted(write(tmp_path / "a.wav", tone(1000, 3, amplitude=0.05) + 0.05))
    assert rms(sound[4000:-4000]) == pytest.approx(-20, abs=0.5)
    assert abs(np.mean(sound[4000:-4000])) < 0.001


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.mp3"])
def test_silence_stays_silence(tmp_path: Path, name: str) -> None:
    assert peak(converted(write(tmp_path / name, np.zeros(44_100)))) < -80


@pytest.mark.parametrize("amplitude", [0.1 * np.sqrt(2) * factor for factor in (0.72, 1.0, 1.4)])
def test_what_is_right_already_is_published_byte_for_byte(tmp_path: Path, amplitude: float) -> None:
    data = write(tmp_path / "a.wav", tone(1000, 3, 8000, amplitude), 8000).read_bytes()
    assert telephone(data) == data


@pytest.mark.parametrize("factor", [0.69, 1.45])
def test_what_is_more_than_3_db_off_is_put_right(tmp_path: Path, factor: float) -> None:
    amplitude = 0.1 * np.sqrt(2) * factor
    data = write(tmp_path / "a.wav", tone(1000, 3, 8000, amplitude), 8000).read_bytes()
    assert rms(heard(telephone(data))) == pytest.approx(-20, abs=0.1)


def test_a_wav_with_a_header_asterisk_does_not_know_is_written_anew(tmp_path: Path) -> None:
    said = tone(1000, 1, 8000, 0.14)
    data = write(tmp_path / "a.wav", said, 8000, format="WAVEX").read_bytes()
    assert telephone(data) != data
    assert telephone(data)[20:22] == b"\1\0"  # PCM; asterisk's format_wav takes no other


@every_kind
def test_the_length_is_that_of_the_sound(tmp_path: Path, name: str) -> None:
    data = write(tmp_path / name, babble(20, 48_000), 48_000, **KINDS[name]).read_bytes()
    assert length(data) == pytest.approx(20, abs=0.05)
    assert len(heard(telephone(data))) / 8000 == pytest.approx(length(data), abs=0.001)


def test_an_mp3_that_does_not_tell_its_length_is_taken_where_it_can_be_reckoned(tmp_path: Path) -> None:
    steady: Form = {"bitrate_mode": "CONSTANT", "compression_level": 0.5}
    data = without_length(write(tmp_path / "a.mp3", babble(20), **steady).read_bytes())
    assert length(data) == pytest.approx(20, abs=0.1)
    assert len(heard(telephone(data))) / 8000 == pytest.approx(20, abs=0.1)


@pytest.mark.parametrize(
    ("sound", "told"),
    [
        (np.concatenate([babble(5), np.zeros(44_100 * 20)]), "does not say how long it is"),
        (np.concatenate([np.zeros(44_100 * 20), babble(20)]), NO_SOUND),
    ],
    ids=["longer than reckoned", "shorter than reckoned"],
)
def test_one_whose_length_would_be_guessed_wrong_is_told(tmp_path: Path, sound: Any, told: str) -> None:
    varying: Form = {"bitrate_mode": "VARIABLE", "compression_level": 0.5}
    data = write(tmp_path / "a.mp3", sound, **varying).read_bytes()
    assert length(data) == pytest.approx(len(sound) / 44_100, abs=0.1)
    with pytest.raises(UnplayableError, match=told):
        length(without_length(data))


@pytest.mark.parametrize("name", ["a.mp3", "a.flac"])
def test_one_cut_short_is_told(tmp_path: Path, name: str) -> None:
    data = write(tmp_path / name, babble(10)).read_bytes()
    with pytest.raises(UnplayableError):
        length(data[: len(data) // 2])


def test_what_turns_out_broken_only_in_the_middle_is_told_when_it_is_converted(tmp_path: Path) -> None:
    data = bytearray(write(tmp_path / "a.flac", babble(10)).read_bytes())
    middle = len(data) // 2
    data[middle : middle + 3000] = bytes(3000)
    with pytest.raises(UnplayableError, match="cannot be read"):
        telephone(bytes(data))


def test_one_without_sound_is_told(tmp_path: Path) -> None:
    write_prompt(tmp_path / "a.wav", seconds=0, rate=44_100)
    with pytest.raises(UnplayableError, match="holds no sound"):
        length((tmp_path / "a.wav").read_bytes())


def test_more_than_20_minutes_is_told(tmp_path: Path) -> None:
    data = write(tmp_path / "a.flac", np.zeros(8000 * 1201), 8000).read_bytes()
    with pytest.raises(UnplayableError, match="is longer than 20 minutes"):
        length(data)


def test_a_flac_that_tells_no_length_is_told(tmp_path: Path) -> None:
    data = bytearray(write(tmp_path / "a.flac", babble(1)).read_bytes())
    data[21] &= 0xF0  # the 36 bits of STREAMINFO that count the samples
    data[22:26] = bytes(4)
    with pytest.raises(UnplayableError, match="does not say how long"):
        length(bytes(data))


@pytest.mark.parametrize(("rate", "channels"), [(384_000, 1), (8000, 9)])
def test_what_no_studio_makes_is_told(tmp_path: Path, rate: int, channels: int) -> None:
    data = write(tmp_path / "a.wav", tone(440, 0.1, rate), rate, channels).read_bytes()
    with pytest.raises(UnplayableError, match=f"is {rate} Hz with {channels} channels, above 192000 Hz or 8"):
        length(data)


def test_other_formats_that_the_library_knows_are_not_asked_for(tmp_path: Path) -> None:
    data = write(tmp_path / "a.aiff", tone(440, 0.1)).read_bytes()
    with pytest.raises(UnplayableError, match="is AIFF, not WAV, MP3, FLAC or Ogg"):
        length(data)


def test_a_minute_of_mp3_is_converted_in_less_than_a_second(tmp_path: Path) -> None:
    data = write(tmp_path / "a.mp3", babble(60), channels=2).read_bytes()
    began = time.process_time()
    telephone(data)
    assert time.process_time() - began < 1
