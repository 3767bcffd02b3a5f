"""Sounds for tests, and what can be measured of them."""

import io
import math
import wave
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

type Samples = NDArray[np.floating[Any]]


def tone(hertz: float, seconds: float, rate: int = 44_100, amplitude: float = 0.5) -> Samples:
    return amplitude * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def babble(seconds: float, rate: int = 44_100, amplitude: float = 0.2) -> Samples:
    """Noise in syllables of 200 ms, as loud and as restless as speech."""
    n = np.arange(round(seconds * rate))
    syllables = np.abs(np.sin(2 * np.pi * 2.5 * n / rate))
    return amplitude * syllables * np.random.default_rng(1).normal(size=len(n))


def write(file: Path, sound: Samples, rate: int = 44_100, channels: int = 1, **form: Any) -> Path:
    """The sound in each channel, in the format of the file's name."""
    file.parent.mkdir(parents=True, exist_ok=True)
    frames = np.stack([sound] * channels, axis=1)
    with soundfile.SoundFile(file, "w", rate, channels, **form) as out:
        for at in range(0, len(frames), rate):  # libvorbis crashes on much at once
            out.write(frames[at : at + rate])
    return file


def without_length(mp3: bytes) -> bytes:
    """The MP3 without the frame that tells its length: the first, which holds no sound."""
    second = mp3.index(mp3[:2], 4)
    while mp3[second + 2] & 0x0C != mp3[2] & 0x0C:  # the rate, by which a header is told from a chance
        second = mp3.index(mp3[:2], second + 1)
    return mp3[second:]


def heard(wav: bytes) -> Samples:
    """The samples Asterisk would play, 1.0 being the loudest; fails when it would not play them."""
    with wave.open(io.BytesIO(wav)) as file:
        assert file.getparams()[:3] == (1, 2, 8000)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768


def rms(sound: Samples) -> float:
    """In dB of full scale."""
    return decibels(math.sqrt(np.mean(sound**2)))


def peak(sound: Samples) -> float:
    return decibels(float(np.abs(sound).max()))


def loudest(sound: Samples, at_least: float = 0, at_most: float = 4000) -> float:
    """The loudest frequency between these, in dB of full scale; of a steady sound at 8 kHz."""
    window = np.hanning(len(sound))
    spectrum = np.abs(np.fft.rfft(sound * window)) * 2 / window.sum()
    hertz = np.fft.rfftfreq(len(sound), 1 / 8000)
    return decibels(spectrum[(hertz >= at_least) & (hertz <= at_most)].max())


def decibels(of_full_scale: float) -> float:
    return 20 * math.log10(max(of_full_scale, 1e-9))
