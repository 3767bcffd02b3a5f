"""A conversation as one file: the caller left, the destination right, in the owner's format.

It is made of the parts that Asterisk's recorder leaves (storage/parts.py), or of two files, one of each side,
of the same length to the sample, as versions before left them: the shorter one, after a crash, is filled up
with silence.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from config.memory_file import in_memory
from storage.parts import Part, lay
from storage.wave import RATE, Samples, samples, speech

BLOCK = 60 * RATE  # a four-hour call is 230 MB a side: never laid side by side as a whole
HEARD = 0.3  # s of speech; less is a click on the line
LOUDEST = 32_000  # of 32,767; what a line gives at most is 32,124 (mu-law) or 32,256 (A-law)
CLIPPED = 0.001  # of the samples: speech that touches its top now and then has fewer

# An hour of talk (measured): WAV 115 MB, FLAC 56, MP3 11, Opus 28. Constant rates, as in mails.
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
    """What was measured of one side so far: seconds of speech, samples at the top."""

    speech: float = 0
    topped: int = 0

    def hear(self, heard: Samples) -> None:
        self.speech += speech(heard)
        self.topped += int(np.count_nonzero((heard >= LOUDEST) | (heard <= -LOUDEST)))


@dataclass(frozen=True, slots=True)
class Conversation:
    """The file, its length in seconds, and what was heard on either side.

    `missing`: seconds of that length of which nothing was recorded, though no pause was made.
    """

    data: bytes
    seconds: float
    caller: Side
    destination: Side
    missing: float = 0

    @property
    def one_way(self) -> str | None:
        """The only one who is heard: `caller` or `destination`."""
        heard = [name for name in ("caller", "destination") if getattr(self, name).speech >= HEARD]
        return heard[0] if len(heard) == 1 else None

    @property
    def silent(self) -> bool:
        return max(self.caller.speech, self.destination.speech) < HEARD

    @property
    def clipping(self) -> bool:
        return max(self.caller.topped, self.destination.topped) > CLIPPED * self.seconds * RATE


def join(caller: bytes | None, destination: bytes | None, form: str) -> Conversation:
    """Both files as they lie on the disk, None for one that is not there, as one file of this format.

    Blocks, for an hour of talk 0.7 s as FLAC, 15 s as MP3, 33 s as Opus: call it in a thread.
    """
    sides = [samples(raw or b"") for raw in (caller, destination)]
    return write(blocks(*sides), form, max(map(len, sides)) / RATE)


def join_parts(parts: Sequence[Part], form: str, lasted: float) -> Conversation:
    """The parts as one file of this format, pauses as silence; `lasted` as in `lay`. Blocks too."""
    line = lay(parts, lasted)
    return write(line.blocks(BLOCK), form, line.length / RATE, line.missing)


def write(heard: Iterable[NDArray[np.int16]], form: str, seconds: float, missing: float = 0) -> Conversation:
    """Blocks of both sides, a row a sample, as one file of this format, measured on the way."""
    import soundfile  # noqa: PLC0415 - 0.35 s, which only a worker with a recording to seal need spend

    measured = [Side(), Side()]
    with in_memory() as made:
        with soundfile.SoundFile(made.fileno(), "w", RATE, 2, closefd=False, **HOW[form]) as out:
            for block in heard:
                for column, side in enumerate(measured):
                    side.hear(block[:, column])
                # Of 16 bit stereo libsndfile 1.2.2 makes an MP3 that is 3 dB too quiet (measured).
                out.write(block / np.float32(FULL) if form in LOSSY else block)
        made.seek(0)
        return Conversation(made.read(), seconds, measured[0], measured[1], missing)


def blocks(left: Samples, right: Samples) -> Iterator[NDArray[np.int16]]:
    """Both side by side, a minute at a time; past its end a side is silent."""
    length = max(len(left), len(right))
    for start in range(0, length, BLOCK):
        block = np.zeros((min(BLOCK, length - start), 2), np.int16)
        for column, side in enumerate((left, right)):
            piece = side[start : start + BLOCK]
            block[: len(piece), column] = piece
        yield block
