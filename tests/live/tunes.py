"""Music that a test can tell apart: a tone for each second, and where in it a caller is."""

from collections.abc import Sequence
from itertools import count, groupby
from pathlib import Path

import numpy as np
import soundfile

from devkit.audio import RATE, Samples, level, tone
from tests.live.service import House, until

WINDOW = round(0.1 * RATE)
THERE = 0.07  # a prompt's tone is published at 0.14
_names = count(1)


async def new_music(house: House, hz: Sequence[int], suffix: str = "wav") -> str:
    """The name of a new prompt with a second of each of these tones, once it is in force."""
    name = f"music{next(_names)}"
    await _in_force(house, f"{name}.{suffix}", hz)
    return name


async def replace_music(house: House, name: str, hz: Sequence[int]) -> None:
    """Put these tones in its place, and wait until they are in force."""
    await _in_force(house, f"{name}.wav", hz)


async def _in_force(house: House, file: str, hz: Sequence[int]) -> None:
    before = house.told("routing_in_force")
    write(house.routing / "prompts" / file, hz)
    await until(lambda: house.told("routing_in_force") > before)


def write(file: Path, hz: Sequence[int]) -> None:
    """Whole at once, as the engine may look at any time."""
    draft = file.with_name(f".{file.name}")
    sound = np.concatenate([tone((one,), RATE) for one in hz])
    soundfile.write(draft, sound, RATE, format=file.suffix[1:].upper())
    draft.rename(file)


def heard_tones(heard: Samples, hz: Sequence[int]) -> list[int]:
    """Which of these tones are heard one after the other; a pause between two halves of a tone is none."""
    windows = [heard[at : at + WINDOW] for at in range(0, len(heard) - WINDOW + 1, WINDOW)]
    loudest = [max((level(window, one), one) for one in hz) for window in windows]
    return [one for one, _ in groupby(one for loudness, one in loudest if loudness > THERE)]
