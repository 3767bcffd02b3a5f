"""Callers who leave a message: what Asterisk leaves in the spool, and what the journal tells of it."""

import io
import wave
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from dialplan.result import Result
from journal.entries import Answered, CallEnded, Entry, HowMessageEnded, MessageEnded, MessageStarted
from tests.store.calls import NOON, call_id, start_of

RATE = 8000
DELIVER = {
    "to": ["office@acme.example"],
    "then": None,
    "language": "nl",
    "audio": "mp3",
    "zone": "Europe/Brussels",
    "require_tls": False,
    "label": "",
    "path": [],
}


def audio_id(n: int) -> str:
    return f"{call_id(n)}-vm1"


def samples(n: int, seconds: float, level: float = 0.1) -> bytes:
    """Noise as loud as a voice, and in no other message: found again, it is this one's."""
    noise = np.random.default_rng(n).uniform(-level, level, int(seconds * RATE))
    data: bytes = (noise * 32767).astype("<i2").tobytes()
    return data


def wav_of(data: bytes) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(data)
    return out.getvalue()


def record(spool: Path, n: int, seconds: float = 2.0, level: float = 0.1) -> bytes:
    """What Asterisk leaves of message `n`; returned as it lies there."""
    spool.mkdir(exist_ok=True)
    raw = wav_of(samples(n, seconds, level))
    (spool / f"{audio_id(n)}.wav").write_bytes(raw)
    return raw


def voicemail_call(
    n: int, *, how: HowMessageEnded | None = "hangup", missed: bool = False, **start: Any
) -> list[Entry]:
    """Call `n`, in which a message was left; `how` None: nobody saw its end. `missed`: mailed if not."""
    call = call_id(n)

    def at(seconds: float) -> datetime:
        return NOON + timedelta(seconds=n + seconds)

    entries: list[Entry] = [
        start_of(n, **{"missed": DELIVER if missed else None} | start),
        Answered(call, at(1)),
        MessageStarted(call, at(5), audio_id(n), DELIVER),
    ]
    if how:
        entries.append(MessageEnded(call, at(7), audio_id(n), how))
    return [*entries, CallEnded(call, at(7.2), Result.VOICEMAIL, "caller", 16)]
