"""Converts audio files to the format of the telephone network: 8 kHz, 16 bit, mono, and equal loudness.

libsndfile decodes and soxr resamples. Both are written in C and may crash, so they run only in a process
without calls. A minute of stereo takes 0.13 s as MP3 or FLAC, 0.3 s as Opus; 20 minutes take 3 s and 380 MB.
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
import soxr
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

STEP = 10  # seconds decoded and resampled at once
QUALITY = "HQ"  # soxr's: flat up to 3650 Hz, more than 100 dB down from 4000 Hz on
RUMBLE_HERTZ, RUMBLE_TAPS = 50.0, 441  # a constant and rumble are removed; a voice begins at 80 Hz

LOUDNESS = 10 ** (-20 / 20)  # active speech level, RMS of full scale: that of the built-in prompts
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
    """Return all of it, mono, at RATE, without a constant and without rumble."""
    stream = soxr.ResampleStream(sound.samplerate, RATE, num_channels=1, dtype="float32", quality=QUALITY)
    step, parts = STEP * sound.samplerate, []
    for _ in range(ceil(sound.frames / step) + 1):  # an MP3 may be a little longer than its header says
        block = sound.read(step, dtype="float32", always_2d=True).mean(axis=1)
        parts.append(stream.resample_chunk(block))
    parts.append(stream.resample_chunk(np.zeros(0, np.float32), last=True))
    narrow = np.concatenate(parts)
    if not len(narrow):
        raise UnplayableError(NO_SOUND)
    return _without_rumble(narrow)


def _without_rumble(sound: Samples) -> Samples:
    """Return the sound minus its part below RUMBLE_HERTZ. The filter is linear-phase, and delays nothing."""
    slow = np.convolve(np.pad(sound, RUMBLE_TAPS // 2, mode="symmetric"), _low_pass(), mode="valid")
    return (sound - slow).astype(np.float32)


@cache
def _low_pass() -> Samples:
    """Return a windowed sinc, whose edge is 60 Hz wide (20 to 80 Hz); its gain at 0 Hz is exactly 1."""
    n = np.arange(RUMBLE_TAPS) - RUMBLE_TAPS // 2
    taps = np.sinc(2 * RUMBLE_HERTZ / RATE * n) * np.hamming(RUMBLE_TAPS)
    low: Samples = (taps / taps.sum()).astype(np.float32)
    return low


def _loudness(sound: Samples) -> float:
    """Return the active speech level (as in ITU-T P.56): RMS of 20 ms frames within 30 dB of the loudest.

    Not BS.1770, which is for broadcasts: its blocks of 400 ms count pauses, and are longer than a beep.
    """
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
