"""Audio as arrays: 8 kHz, 16 bit, mono. Generates what the demo telephones say, measures what they hear."""

import wave
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

RATE = 8000
FULL = 32767

Samples = NDArray[np.int16]
SILENCE: Samples = np.zeros(0, dtype=np.int16)


def tone(hz: Sequence[float], samples: int, *, start: int = 0, loudness: float = 0.3) -> Samples:
    """`samples` of one or several tones at once, in phase with a tone that began `start` samples ago.

    `loudness` is the amplitude of each tone; 1.0 is full scale.
    """
    n = np.arange(start, start + samples) / RATE
    mixed = sum((loudness * np.sin(2 * np.pi * f * n) for f in hz), np.zeros(samples))
    return np.clip(mixed * FULL, -FULL, FULL).astype(np.int16)


def level(sound: Samples, hz: float) -> float:
    """The amplitude of the tone `hz` in this sound, 0.0 (absent) to 1.0."""
    if not len(sound):
        return 0.0
    n = np.arange(len(sound))
    return float(2 * abs(np.mean(sound / FULL * np.exp(-2j * np.pi * hz * n / RATE))))


def levels(sound: Samples, hz: float, window: float = 0.1) -> list[float]:
    """The level of the tone in each whole window of `window` seconds."""
    size = round(window * RATE)
    return [level(sound[at : at + size], hz) for at in range(0, len(sound) - size + 1, size)]


def loudness(sound: Samples) -> float:
    """Root mean square of the sound, 0.0 (silence) to 1.0."""
    return float(np.sqrt(np.mean(np.square(sound / FULL)))) if len(sound) else 0.0


def correlation(said: Samples, heard: Samples) -> float:
    """The correlation of `said` with `heard` at the best delay; 1.0 for the same sound."""
    size = 1 << (len(said) + len(heard)).bit_length()
    spectrum = np.fft.rfft(heard / FULL, size) * np.conj(np.fft.rfft(said / FULL, size))
    delay = int(np.argmax(np.fft.irfft(spectrum, size)[: len(heard)]))
    aligned = heard[delay : delay + len(said)] / FULL
    original = said[: len(aligned)] / FULL
    energy = float(np.sqrt(np.sum(original**2) * np.sum(aligned**2)))
    return float(np.sum(original * aligned)) / energy if energy else 0.0


def alaw(sound: Samples) -> bytes:
    """The sound as G.711 A-law."""
    value = sound.astype(np.int32) >> 3
    sign = np.where(value >= 0, 0xD5, 0x55)
    magnitude = np.where(value >= 0, value, -value - 1)
    segment = np.searchsorted([0x1F, 0x3F, 0x7F, 0xFF, 0x1FF, 0x3FF, 0x7FF, 0xFFF], magnitude)
    shift = np.maximum(segment, 1)
    code = (segment << 4) | ((magnitude >> shift) & 0x0F)
    return bytes((code ^ sign).astype(np.uint8))


def write_wav(path: Path, sound: Samples) -> None:
    """Write a WAV file that Asterisk can play: 8 kHz, 16 bit, mono."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(sound.astype("<i2").tobytes())


def read_wav(path: Path) -> Samples:
    """Read such a file. Raises wave.Error if it is not a WAV file."""
    with wave.open(str(path), "rb") as file:
        return np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").astype(np.int16)
