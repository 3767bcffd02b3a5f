"""WAV files as Asterisk leaves them: whole, cut anywhere, with no lengths in their header, or empty."""

import io
import wave

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.wave import whole

RATE = 8000


def voice(seconds: float, level: float = 0.1, rate: int = RATE) -> bytes:
    n = np.arange(int(seconds * rate))
    samples: bytes = (np.sin(2 * np.pi * 440 * n / rate) * level * 32767).astype("<i2").tobytes()
    return samples


def file_of(data: bytes, rate: int = RATE, channels: int = 1) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setparams((channels, 2, rate, 0, "NONE", ""))
        file.writeframes(data)
    return out.getvalue()


def as_killed(raw: bytes) -> bytes:
    """The lengths are what Asterisk writes last."""
    return raw[:4] + bytes(4) + raw[8:40] + bytes(4) + raw[44:]


def frames(wav: bytes) -> bytes:
    with wave.open(io.BytesIO(wav)) as file:
        assert file.getnframes() * file.getsampwidth() * file.getnchannels() == len(wav) - 44
        data: bytes = file.readframes(file.getnframes())
        return data


def test_a_whole_file_stays_as_it_is() -> None:
    raw = file_of(voice(2))
    sound = whole(raw)
    assert (sound.wav, sound.seconds, sound.absence) == (raw, 2.0, "")


def test_without_lengths_in_its_header_it_is_put_right() -> None:
    raw = file_of(voice(2))
    assert whole(as_killed(raw)).wav == raw


def test_without_any_header_it_is_what_we_asked_asterisk_for() -> None:
    raw = file_of(voice(2))
    assert whole(bytes(44) + raw[44:]).wav == raw


@given(st.integers(0, 32_044))
def test_cut_anywhere_every_whole_sample_is_kept(length: int) -> None:
    raw = file_of(voice(2))
    kept = max(length - 44, 0) // 2 * 2
    assert frames(whole(as_killed(raw)[:length]).wav) == raw[44 : 44 + kept]


@given(st.binary(max_size=200))
def test_rubbish_is_a_sound_too_and_no_error(raw: bytes) -> None:
    frames(whole(raw).wav)


def test_another_rate_and_two_channels_are_read_from_the_header() -> None:
    raw = file_of(voice(2, rate=16_000) * 2, 16_000, 2)
    sound = whole(as_killed(raw))
    assert (sound.wav, sound.seconds) == (raw, 2.0)


def test_chunks_before_the_samples_are_passed_over() -> None:
    raw = file_of(voice(1))
    longer = raw[:36] + b"LIST" + (10).to_bytes(4, "little") + bytes(10) + raw[36:]
    assert whole(longer).wav == raw


@pytest.mark.parametrize(
    ("data", "absence"),
    [
        (b"", "empty"),
        (voice(0.9), "too_short"),
        (bytes(10 * RATE * 2), "silent"),
        (voice(10, level=0.001), "silent"),
        (voice(0.9) + bytes(10 * RATE * 2), "silent"),
        (voice(0.6) + bytes(RATE * 2) + voice(0.6), ""),
        (voice(2, level=0.02), ""),
    ],
)
def test_there_is_a_message_when_one_second_of_it_can_be_heard(data: bytes, absence: str) -> None:
    assert whole(file_of(data)).absence == absence
