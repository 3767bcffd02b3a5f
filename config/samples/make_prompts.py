"""Make the prompts of the samples: short tones, one melody a prompt, to be replaced by spoken texts.

python config/samples/make_prompts.py
"""

import struct
import wave
from itertools import chain
from math import pi, sin
from pathlib import Path

HERE = Path(__file__).parent
RATE = 8000  # Hz
NOTE = 0.12  # seconds
# What each prompt sounds like, in Hz.
MELODIES = {
    "dentist/prompts/welcome": (523, 659, 784),
    "dentist/prompts/closed": (784, 659, 523),
    "dentist/prompts/closed-holiday": (784, 659, 523, 659),
    "dentist/prompts/all-busy": (440, 440, 440),
    "dentist/prompts/nobody-there": (440, 392, 349),
    "provider/prompts/closed": (784, 659, 523),
    "provider/prompts/all-busy": (440, 440, 440),
    "provider/prompts/choose": (523, 587, 659),
    "provider/prompts/choose-again": (659, 587, 523),
    "provider/prompts/enter-pin": (523, 523, 523),
    "provider/prompts/now-closed": (659, 523),
    "provider/prompts/open-again": (523, 659),
    "provider/prompts/waiting": (392, 494, 587, 494, 440, 523, 659, 523) * 4,
    "provider/prompts/nl/closed": (784, 587, 494),
    "provider/prompts/fr/welcome": (587, 740, 880),
}


def main() -> None:
    for name, melody in MELODIES.items():
        with wave.open(str(HERE / f"{name}.wav"), "wb") as sound:
            sound.setnchannels(1)
            sound.setsampwidth(2)
            sound.setframerate(RATE)
            sound.writeframes(b"".join(chain.from_iterable(map(note, melody))))


def note(hertz: int) -> list[bytes]:
    """One note as 16-bit samples, swelling and fading so that it does not click."""
    samples = int(RATE * NOTE)
    envelope = (sin(pi * n / samples) for n in range(samples))
    return [
        struct.pack("<h", int(9000 * swell * sin(2 * pi * hertz * n / RATE)))
        for n, swell in enumerate(envelope)
    ]


if __name__ == "__main__":
    main()
