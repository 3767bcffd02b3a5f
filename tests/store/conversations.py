"""Recorded conversations: what Asterisk leaves in the spool, and what the journal tells of them."""

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from journal.entries import (
    Answered,
    CallerNotified,
    Entry,
    PartyNotified,
    RecordingEnded,
    RecordingPaused,
    RecordingResumed,
    RecordingStarted,
)
from tests.store.calls import answered_call, call_id
from tests.store.sounds import RATE, wav_of

NOTICE: dict[str, Any] = {
    "policy": "announce",
    "announcement": "recording-announcement",
    "sha256": "0" * 64,
    "language": "nl",
    "began": datetime(2026, 11, 24, 12, 0, 1, tzinfo=UTC),
    "ended": datetime(2026, 11, 24, 12, 0, 5, tzinfo=UTC),
}
CALLER, DESTINATION = 880, 1000  # Hz
Stereo = NDArray[np.float64]


def recording_id(n: int) -> str:
    return f"{call_id(n)}-rec1"


def tone(frequency: float, seconds: float, level: float = 0.3) -> bytes:
    at = np.arange(round(seconds * RATE)) / RATE
    data: bytes = (np.sin(2 * np.pi * frequency * at) * level * 32767).astype("<i2").tobytes()
    return data


def record_sides(spool: Path, n: int, caller: bytes | None, destination: bytes | None) -> None:
    """What Asterisk leaves of the recording of call `n`; None: that file is not there."""
    spool.mkdir(exist_ok=True)
    for side, data in (("in", caller), ("out", destination)):
        if data is not None:
            (spool / f"{recording_id(n)}-{side}.wav").write_bytes(wav_of(data))


def record_talk(spool: Path, n: int, seconds: float = 2.0, level: float = 0.3) -> None:
    """Both talk all the time, each in a tone of his own."""
    record_sides(spool, n, tone(CALLER, seconds, level), tone(DESTINATION, seconds, level))


def recorded_call(
    n: int, *, form: str = "wav", days: float = 30, lasted: float = 2.0, end: bool = True, **start: object
) -> list[Entry]:
    """Call `n`, of which so many seconds were recorded; `end` False: nobody saw the recording's end."""
    *before, over, ended = answered_call(n, **start)
    call, audio, leg = call_id(n), recording_id(n), f"{call_id(n)}-b2"
    answered = next(entry.at for entry in before if isinstance(entry, Answered))
    entries = [
        *before[:-4],
        CallerNotified(call, answered, "heard", **NOTICE),
        *before[-4:-2],
        PartyNotified(call, answered, leg, "heard", **NOTICE),
        *before[-2:],
        RecordingStarted(call, answered, audio, round(days * 86400), form, leg),
        RecordingPaused(call, answered + timedelta(seconds=0.5)),
        RecordingResumed(call, answered + timedelta(seconds=1), "key"),
        over,
    ]
    if end:
        entries.append(RecordingEnded(call, answered + timedelta(seconds=lasted), audio))
    return [*entries, ended]


def heard(data: bytes) -> Stereo:
    """What a player makes of it: one row a sample, left and right."""
    samples, rate = soundfile.read(io.BytesIO(data), always_2d=True)
    assert samples.shape[1] == 2
    if rate != RATE:  # Opus is always played at 48 kHz
        assert rate % RATE == 0
        samples = samples[:: rate // RATE]
    found: Stereo = samples
    return found


def level_at(samples: NDArray[np.float64], frequency: float) -> float:
    """How loud that tone is in it, in dB of full scale (a sine from -1 to 1 has 0)."""
    window = np.hanning(len(samples))
    at = np.arange(len(samples)) / RATE
    found = abs(np.sum(samples * window * np.exp(-2j * np.pi * frequency * at)))
    return float(20 * np.log10(max(2 * found / np.sum(window), 1e-9)))


def usual_level_at(samples: NDArray[np.float64], frequency: float) -> float:
    """The same in every fifth of a second, the median: where a telephone stutters are all frequencies."""
    size = RATE // 5
    pieces = [samples[at : at + size] for at in range(0, len(samples) - size + 1, size)]
    assert len(pieces) >= 3
    return median(level_at(piece, frequency) for piece in pieces)


def part_of(caller: bytes, destination: bytes) -> bytes:
    """Both sides as Asterisk's recorder interleaves them: the destination first."""
    told = [np.frombuffer(side, "<i2") for side in (destination, caller)]
    data: bytes = np.stack(told, axis=1).astype("<i2").tobytes()
    return data


def record_part(spool: Path, n: int, at: datetime, seconds: float, after: int = 0) -> Path:
    """A part of the recording of call `n`, begun at that instant; both talk in it all the time."""
    spool.mkdir(exist_ok=True)
    waited = f"-s{after}" if after else ""
    file = spool / f"{recording_id(n)}-{round(at.timestamp() * 1000)}{waited}.raw"
    file.write_bytes(part_of(tone(CALLER, seconds), tone(DESTINATION, seconds)))
    return file


def began(n: int) -> datetime:
    """When the recording of `recorded_call(n)` began."""
    return next(entry.at for entry in recorded_call(n) if isinstance(entry, RecordingStarted))
