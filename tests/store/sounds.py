"""Callers who leave a message: what Asterisk leaves in the spool, and what the journal tells of it."""

import io
import wave
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from tests.store.calls import NOON, Entry, call_id

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


def voicemail_call(n: int, *, how: str | None = "hangup", missed: bool = False, **start: Any) -> list[Entry]:
    """Call `n`, in which a message was left; `how` None: nobody saw its end. `missed`: mailed if not."""
    call = call_id(n)
    began = NOON + timedelta(seconds=n)

    def entry(kind: str, seconds: float, **more: Any) -> Entry:
        return {"call": call, "kind": kind, "at": (began + timedelta(seconds=seconds)).isoformat(), **more}

    told = {"number": "+3270012345", "owner": "acme", "caller": "+32470111222", "withheld": False}
    wanted = {"missed": DELIVER} if missed else {}
    entries = [
        entry("call_start", 0, **told | {"node": "here", "channel": f"{call}-a"} | wanted | start),
        entry("answered", 1, to="voicemail"),
        entry("vm_start", 5, audio=audio_id(n), deliver=DELIVER),
        entry("vm_end", 7, audio=audio_id(n), how=how),
        entry("call_end", 7.2, outcome="voicemail", ended_by="caller", cause=16),
    ]
    return [told for told in entries if how or told["kind"] != "vm_end"]
