"""Prompts: WAV files checked before any call needs them; some are brought along, in every language."""

import hashlib
import io
import wave
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from dialplan.prompt import VOICEMAIL_PROMPTS, Prompt
from dialplan.routing import BUILT_IN

VOICES = Path(__file__).with_name("voices")
RATE = 8000  # Hz, what the telephone network carries
MAX_BYTES = 20_000_000  # 20 minutes


class UnplayableError(ValueError):
    """Asterisk would not play this file, or not as it was meant; says how to convert it."""


def read_prompt(path: Path) -> Prompt:
    """The prompt in this file; raises UnplayableError, or OSError."""
    if path.stat().st_size > MAX_BYTES:
        raise UnplayableError(f"larger than {MAX_BYTES:,} bytes, 20 minutes; shorten it")
    data = path.read_bytes()
    return Prompt(path.stem, path.resolve(), _seconds(data, path), hashlib.sha256(data).hexdigest())


@cache
def built_in(folder: Path = VOICES) -> Mapping[str, Prompt]:
    """The prompts brought along, by `built-in/name` or `built-in/language/name`."""
    files = sorted(file for file in folder.rglob("*.wav") if file.stem in VOICEMAIL_PROMPTS)
    names = (file.relative_to(folder).with_suffix("").as_posix() for file in files)
    return {f"{BUILT_IN}{name}": read_prompt(file) for name, file in zip(names, files, strict=True)}


def _seconds(data: bytes, path: Path) -> float:
    try:
        with wave.open(io.BytesIO(data)) as sound:
            channels, width, rate, frames, *_ = sound.getparams()
    except (wave.Error, EOFError) as wrong:
        raise UnplayableError(f"is not a PCM WAV file; {_convert(path)}") from wrong
    if (channels, width, rate) != (1, 2, RATE):
        found = f"{rate} Hz, {8 * width} bit, {'mono' if channels == 1 else f'{channels} channels'}"
        raise UnplayableError(f"is {found}, not 8000 Hz, 16 bit, mono; {_convert(path)}")
    if not 0 < frames * channels * width <= len(data):
        raise UnplayableError("holds no sound, or less than its header says; make it again")
    return float(frames / rate)


def _convert(path: Path) -> str:
    return f"convert it: ffmpeg -i {path.name} -ar 8000 -ac 1 -c:a pcm_s16le new.wav"
