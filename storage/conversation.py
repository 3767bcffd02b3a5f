"""A recording as one file: the caller left, the destination right, in the owner's format.

It is made from the parts that Asterisk's recorder writes (storage/parts.py), or from two files, one of each
side, as earlier versions left them. These have the same length to the sample, unless Asterisk crashed: then
silence is appended to the shorter one.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from config.memory_file import in_memory
from storage.parts import Part, lay
from storage.wave import RATE, Samples, samples, speech

BLOCK = 60 * RATE  # a four-hour call is 230 MB a side: both sides are never joined in memory as a whole
AUDIBLE_SPEECH = 0.3  # s; less is a click on the line
LOUDEST = 32_000  # of 32,767; the most that a line gives is 32,124 (mu-law) or 32,256 (A-law)
CLIPPED = 0.001  # share of the samples: speech that reaches the maximum now and then has fewer

# An hour of conversation (measured): WAV 115 MB, FLAC 56, MP3 11, Opus 28. Constant rates, as in mails.
HOW: Mapping[str, Mapping[str, Any]] = {
    "wav": {"format": "WAV", "subtype": "PCM_16"},
    "flac": {"format": "FLAC", "subtype": "PCM_16"},
    "mp3": {"format": "MP3", "compression_level": 0.7, "bitrate_mode": "CONSTANT"},
    "opus": {"format": "OGG", "subtype": "OPUS", "compression_level": 0.9},
}
LOSSY = ("mp3", "opus")
FULL = 32768


@dataclass(slots=True)
class Side:
    """The measurements of one side so far: seconds of speech, samples at the maximum."""

    speech: float = 0
    clipped: int = 0

    def measure(self, sound: Samples) -> None:
        self.speech += speech(sound)
        self.clipped += int(np.count_nonzero((sound >= LOUDEST) | (sound <= -LOUDEST)))


@dataclass(frozen=True, slots=True)
class Conversation:
    """The file, its length in seconds, and the measurements of both sides.

    `missing`: seconds of that length that were not recorded, although the recording was not paused.
    """

    data: bytes
    seconds: float
    caller: Side
    destination: Side
    missing: float = 0

    @property
    def one_way(self) -> str | None:
        """The only audible side: `caller` or `destination`; None when it is both or neither."""
        sides = {"caller": self.caller, "destination": self.destination}
        audible = [name for name, side in sides.items() if side.speech >= AUDIBLE_SPEECH]
        return audible[0] if len(audible) == 1 else None

    @property
    def silent(self) -> bool:
        return max(self.caller.speech, self.destination.speech) < AUDIBLE_SPEECH

    @property
    def clipping(self) -> bool:
        return max(self.caller.clipped, self.destination.clipped) > CLIPPED * self.seconds * RATE


def join(caller: bytes | None, destination: bytes | None, form: str) -> Conversation:
    """Both files as Asterisk left them, None for a missing one, as one file of this format.

    Blocks, for an hour of conversation 0.7 s as FLAC, 15 s as MP3, 33 s as Opus: call it in a thread.
    """
    sides = [samples(raw or b"") for raw in (caller, destination)]
    return write(blocks(*sides), form, max(map(len, sides)) / RATE)


def join_parts(parts: Sequence[Part], form: str, lasted: float) -> Conversation:
    """The parts as one file of this format, pauses as silence; `lasted` as in `lay`. Blocks too."""
    line = lay(parts, lasted)
    return write(line.blocks(BLOCK), form, line.length / RATE, line.missing)


def write(sound: Iterable[NDArray[np.int16]], form: str, seconds: float, missing: float = 0) -> Conversation:
    """Blocks of both sides, a row for each sample, as one file of this format; measured at the same time."""
    import soundfile  # noqa: PLC0415 - 0.35 s, which only a worker with a recording to seal need spend

    measured = [Side(), Side()]
    with in_memory() as made:
        with soundfile.SoundFile(made.fileno(), "w", RATE, 2, closefd=False, **HOW[form]) as out:
            for block in sound:
                for column, side in enumerate(measured):
                    side.measure(block[:, column])
                # From 16 bit stereo libsndfile 1.2.2 makes an MP3 that is 3 dB too quiet (measured).
                out.write(block / np.float32(FULL) if form in LOSSY else block)
        made.seek(0)
        return Conversation(made.read(), seconds, measured[0], measured[1], missing)


def blocks(left: Samples, right: Samples) -> Iterator[NDArray[np.int16]]:
    """Both sides in columns, a minute at a time; after its end a side is silent."""
    length = max(len(left), len(right))
    for start in range(0, length, BLOCK):
        block = np.zeros((min(BLOCK, length - start), 2), np.int16)
        for column, side in enumerate((left, right)):
            piece = side[start : start + BLOCK]
            block[: len(piece), column] = piece
        yield block
