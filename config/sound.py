"""Converts audio files to the format of the telephone network: 8 kHz, 16 bit, mono, and equal loudness.

libsndfile reads them; it is written in C and may crash, so it runs only in a process without calls. A minute
of stereo takes 0.13 s as MP3 or FLAC and 0.3 s as Opus; 20 minutes take 3 s and 380 MB.
"""

import io
import os
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from math import ceil
from typing import BinaryIO

import numpy as np
import soundfile
from numpy.typing import NDArray

from config.errors import UnplayableError
from config.memory_file import in_memory

type Samples = NDArray[np.float32]

# The names of libsndfile, which could read twenty more.
FORMATS = {"WAV", "WAVEX", "MP3", "FLAC", "OGG"}
RATE = 8000  # Hz
MAX_RATE, MAX_CHANNELS, MAX_SECONDS = 192_000, 8, 20 * 60
CONVERT = "convert it, as in  ffmpeg -i old.mp3 -ar 8000 -ac 1 new.wav"
NO_SOUND = "holds no sound, or less than its header says; make it again"
SLACK = 0.05  # of an MP3 without a length in its header: mpg123 guesses it from the size and the first frame

STEP, MARGIN = 10, 1  # seconds resampled at once, and those before and after that the filter needs
# Hz: a voice is between the middle two; everything outside the outer two is removed.
BAND = (20.0, 80.0, 3600.0, 4000.0)

LOUDNESS = 10 ** (-20 / 20)  # RMS of full scale while speaking: that of the built-in prompts
NEAR = 10 ** (3 / 20)  # a difference that a caller does not notice
SILENT = 10 ** (-60 / 20)  # below this there is no speech, and the file is not changed
CEILING = 10 ** (-4 / 20)  # of peaks: a decibel below -3 dBFS, because an A-law decoder may overshoot
FRAME = RATE // 50  # samples in 20 ms


def length(data: bytes) -> float:
    """Return the length in seconds, decoding only the end of the file. Raises UnplayableError."""
    with _opened(data) as (sound, file):
        _probe(sound, file, len(data))
        return float(sound.frames / sound.samplerate)


def telephone(data: bytes) -> bytes:
    """Return the WAV file for Asterisk: the same bytes if format and loudness are right already.

    Raises UnplayableError.
    """
    with _opened(data) as (sound, _):
        narrow = _narrowed(sound)
        ready = (sound.format, sound.subtype, sound.samplerate, sound.channels) == ("WAV", "PCM_16", RATE, 1)
    level = _loudness(narrow)
    if ready and (level < SILENT or LOUDNESS / NEAR <= level <= LOUDNESS * NEAR):
        return data
    return _wav(_limited(narrow * (LOUDNESS / level)) if level >= SILENT else narrow)


@contextmanager
def _opened(data: bytes) -> Iterator[tuple[soundfile.SoundFile, BinaryIO]]:
    """Open the audio, and the file that it is read from. Raises UnplayableError, also for errors within."""
    try:
        with in_memory(data) as file, soundfile.SoundFile(file.fileno(), closefd=False) as sound:
            _refuse(sound)
            yield sound, file
    except soundfile.SoundFileError as error:
        raise UnplayableError(f"cannot be read as WAV, MP3, FLAC or Ogg; {CONVERT}") from error


def _refuse(sound: soundfile.SoundFile) -> None:
    if sound.format not in FORMATS:
        raise UnplayableError(f"is {sound.format}, not WAV, MP3, FLAC or Ogg; {CONVERT}")
    if sound.samplerate > MAX_RATE or sound.channels > MAX_CHANNELS:
        actual = f"{sound.samplerate} Hz with {sound.channels} channels"
        raise UnplayableError(f"is {actual}, above {MAX_RATE} Hz or {MAX_CHANNELS} channels; {CONVERT}")
    if sound.frames == 0:
        raise UnplayableError(NO_SOUND)
    if sound.frames > MAX_SECONDS * sound.samplerate:
        raise UnplayableError(
            f"is longer than {MAX_SECONDS // 60} minutes, or does not say how long; shorten it"
        )


def _probe(sound: soundfile.SoundFile, file: BinaryIO, size: int) -> None:
    """Check that there is as much audio as the header says, and no more: libsndfile checks neither."""
    sound.seek(int(sound.frames * (1 - SLACK)))
    if not len(sound.read(1)):
        raise UnplayableError(NO_SOUND)
    sound.seek(-1, os.SEEK_END)
    sound.read(1)
    unread = size - os.lseek(file.fileno(), 0, os.SEEK_CUR)
    if sound.format == "MP3" and unread > size * SLACK:
        raise UnplayableError(f"does not say how long it is; {CONVERT}")


def _narrowed(sound: soundfile.SoundFile) -> Samples:
    """Return all of it, mono, at RATE: in overlapping windows, each resampled by its spectrum."""
    step = STEP * sound.samplerate
    window = np.zeros((STEP + 2 * MARGIN) * sound.samplerate, np.float32)
    frames, parts = 0, []
    for _ in range(ceil(sound.frames / step) + 1):  # the last one is the rest in the window
        block = sound.read(step, dtype="float32", always_2d=True).mean(axis=1)
        frames += len(block)
        window = np.concatenate((window[step:], block, np.zeros(step - len(block), np.float32)))
        parts.append(_resampled(window))
    begin = MARGIN * RATE
    return np.concatenate(parts)[begin : begin + round(frames * RATE / sound.samplerate)]


def _resampled(window: Samples) -> Samples:
    """Return the middle STEP seconds of the window at RATE. Nothing above BAND is left to alias."""
    band = _band()
    spectrum = np.fft.rfft(window)[: len(band)]
    samples = (STEP + 2 * MARGIN) * RATE
    whole = np.fft.irfft(spectrum * band[: len(spectrum)], samples) * (samples / len(window))
    return whole[MARGIN * RATE : -MARGIN * RATE].astype(np.float32)


@cache
def _band() -> Samples:
    """Return the gain of each frequency of a window. Smooth edges: the filter rings for 50 ms only."""
    seconds = STEP + 2 * MARGIN
    hertz = np.arange(seconds * RATE // 2 + 1) / seconds
    passed = np.interp(hertz, BAND, (0.0, 1.0, 1.0, 0.0))
    return (0.5 - 0.5 * np.cos(np.pi * passed)).astype(np.float32)


def _loudness(sound: Samples) -> float:
    """Return the RMS while speaking: of 20 ms frames within 30 dB of the loudest, without pauses."""
    padded = np.pad(sound, (0, -len(sound) % FRAME)).reshape(-1, FRAME)
    power = np.mean(padded**2, axis=1)
    return float(np.sqrt(power[power >= power.max() / 1000].mean()))


def _limited(sound: Samples) -> Samples:
    """Reduce the level smoothly for 5 ms around each peak over the ceiling: clipping would crackle."""
    around = 5 * RATE // 1000
    width = 2 * around + 1
    wanted = CEILING / np.maximum(np.abs(sound), CEILING)
    held = np.lib.stride_tricks.sliding_window_view(np.pad(wanted, around, mode="edge"), width).min(axis=1)
    fade = np.hanning(width) / np.hanning(width).sum()
    return (sound * np.convolve(np.pad(held, around, mode="edge"), fade, mode="valid")).astype(np.float32)


def _wav(sound: Samples) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(np.round(sound * 32767).astype("<i2").tobytes())
    return out.getvalue()
