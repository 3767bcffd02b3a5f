"""A recorded message as a WAV file: repaired after a crash, and measured.

Asterisk writes the 44 bytes of the header first and the lengths in it last. If it is killed, they stay 0, and
up to 2.05 s of sound are not written. So the length is taken from the file's size, never from its header.
"""

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]
HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")
RATE = 8000  # the format that the engine asks Asterisk for: 8 kHz, 16 bit, mono
CHANNELS = 1
SAMPLE = 2  # bytes
HEADER_BYTES = 4096  # in which the header's chunks are searched
WINDOW = 0.02  # s: one packet of speech
AUDIBLE = 10 ** (-45 / 20)  # RMS of full scale: a quiet voice on a phone has -35 dBFS, its silence -60
LEAST_SPEECH = 1.0  # s: less is not a message


@dataclass(frozen=True, slots=True)
class Sound:
    """A valid WAV file, its length, and how much of it is speech, in seconds."""

    wav: bytes
    seconds: float
    speech: float

    @property
    def absence(self) -> str:
        """Why it is not a message: `empty`, `too_short` or `silent`; "" when it is one."""
        if not self.seconds:
            return "empty"
        if self.seconds < LEAST_SPEECH:
            return "too_short"
        return "silent" if self.speech < LEAST_SPEECH else ""


def whole(raw: bytes) -> Sound:
    """The sound in a file as Asterisk left it, whole or not. Of 16 bit PCM no sample is lost."""
    rate, channels, start = _format(raw)
    frame = channels * SAMPLE
    data = raw[start : len(raw) - (len(raw) - start) % frame] if len(raw) > start else b""
    wav = _header(rate, channels, len(data)) + data
    return Sound(wav, len(data) / (rate * frame), speech(np.frombuffer(data, "<i2"), rate, channels))


def samples(raw: bytes) -> Samples:
    """The samples in a file of one side of a conversation, which has one channel; not copied."""
    _, _, start = _format(raw)
    end = len(raw) - (len(raw) - start) % SAMPLE
    return np.frombuffer(memoryview(raw)[start:end], "<i2")


def _format(raw: bytes) -> tuple[int, int, int]:
    """Rate, channels, and the byte at which the samples begin; the usual ones if the header has none."""
    data = raw.find(b"data", 12, HEADER_BYTES)
    fmt = raw.find(b"fmt ", 12, HEADER_BYTES)
    if raw[:4] != b"RIFF" or fmt < 0 or data < fmt or fmt + 16 > len(raw):
        return RATE, CHANNELS, HEADER.size
    channels, rate = struct.unpack_from("<HI", raw, fmt + 10)
    return (rate, channels, data + 8) if rate and channels else (RATE, CHANNELS, data + 8)


def _header(rate: int, channels: int, length: int) -> bytes:
    frame = channels * SAMPLE
    return HEADER.pack(
        *(b"RIFF", HEADER.size - 8 + length, b"WAVE"),
        *(b"fmt ", 16, 1, channels, rate, rate * frame, frame, SAMPLE * 8),
        *(b"data", length),
    )


def speech(sound: Samples, rate: int = RATE, channels: int = CHANNELS) -> float:
    """How many seconds, in windows of 20 ms, are louder than silence."""
    window = int(rate * WINDOW) * channels
    scaled = sound.astype(np.float32) / 32768
    windows = scaled[: len(scaled) // window * window].reshape(-1, window)
    rms = np.sqrt((windows**2).mean(axis=1))
    return float(np.count_nonzero(rms > AUDIBLE) * WINDOW)
