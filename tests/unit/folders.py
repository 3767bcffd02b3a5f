"""Routing folders for tests."""

import wave
from pathlib import Path

OWNER = "name: ACME\nlanguage: nl\n"
NUMBER = """\
number: +3270012345
owner: acme
timezone: Europe/Brussels
route:
  - announce: welcome
  - ring: +3221112233
"""


def write_prompt(
    file: Path, *, seconds: float = 0.1, rate: int = 8000, channels: int = 1, width: int = 2
) -> None:
    """A WAV file of silence."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(file), "wb") as sound:
        sound.setnchannels(channels)
        sound.setsampwidth(width)
        sound.setframerate(rate)
        sound.writeframes(bytes(int(seconds * rate) * channels * width))


def good_folder(folder: Path) -> Path:
    """One owner, one number, one prompt: nothing wrong."""
    for part, name, text in (("owners", "acme", OWNER), ("numbers", "main", NUMBER)):
        (folder / part).mkdir(parents=True)
        (folder / part / f"{name}.yaml").write_text(text)
    write_prompt(folder / "prompts" / "welcome.wav")
    return folder
