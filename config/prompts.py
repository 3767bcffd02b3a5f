"""Prompts: audio files, checked before any call needs them; some are built in, in every language."""

import hashlib
import io
import wave
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path

from config.errors import UnplayableError
from dialplan.prompt import CONFIRM, RECORDING_PROMPTS, Prompt
from dialplan.routing import BUILT_IN
from dialplan.steps import STEPS

VOICES = Path(__file__).with_name("voices")
RATE = 8000  # Hz, what the telephone network carries
MAX_BYTES = 20_000_000  # 20 minutes of them


def read_prompt(path: Path) -> Prompt:
    """Return the built-in prompt in this file. Raises UnplayableError, or OSError."""
    data = path.read_bytes()
    return Prompt(path.stem, path.resolve(), measure(data), hashlib.sha256(data).hexdigest())


def measure(data: bytes) -> float:
    """Return how many seconds a prompt with this content plays. Raises UnplayableError."""
    if len(data) > MAX_BYTES:
        raise UnplayableError(f"larger than {MAX_BYTES:,} bytes; make it an MP3, or shorten it")
    return _seconds(data)


@cache
def built_in(folder: Path = VOICES) -> Mapping[str, Prompt]:
    """Return the built-in prompts, by `built-in/name` or `built-in/language/name`."""
    used = {CONFIRM, *RECORDING_PROMPTS, *(prompt for step in STEPS.values() for prompt in step.built_in)}
    files = sorted(file for file in folder.rglob("*.wav") if file.stem in used)
    names = (file.relative_to(folder).with_suffix("").as_posix() for file in files)
    return {f"{BUILT_IN}{name}": read_prompt(file) for name, file in zip(names, files, strict=True)}


def _seconds(data: bytes) -> float:
    with suppress(wave.Error, EOFError), wave.open(io.BytesIO(data)) as sound:
        channels, width, rate, frames, *_ = sound.getparams()
        if not 0 < frames * channels * width <= len(data):
            raise UnplayableError("holds no sound, or less than its header says; make it again")
        if (channels, width, rate) == (1, 2, RATE):
            return float(frames / rate)
    from config.sound import length  # noqa: PLC0415 - 0.35 s, not needed for a folder of such WAV files

    return length(data)
