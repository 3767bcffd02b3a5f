"""The parts of a recorded conversation, as Asterisk's recorder leaves them, laid on the line of time.

asterisk/etc/recorder.conf names each file by the instant at which it was begun, in milliseconds of the epoch,
and one that was begun by a pause by the seconds after which it is written at all:

    <audio_id>-1764280000123.raw         from 1764280000.123 on
    <audio_id>-1764280060456-s120.raw    a pause since 1764280060.456; written if it lasted longer than 120 s

In each, raw and with no header: 8 kHz, signed, 16 bit, little endian, the two sides in turn, a sample each.
The recorder has no clock: what neither side sent is not in the file. How far it had come when is in a file
beside it, `.marks` (storage/marks.py). Why: docs/decisions/012-recorder.md
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from storage.wave import RATE, SAMPLE

NAME = re.compile(r"-([0-9]{13})(?:-s([0-9]{1,4}))?\.(?:raw|marks)")
MARK = re.compile(r"([0-9]{13}) ([0-9]+)")
BOTH = 2  # sides
# The recorder is on the destination's channel: first what comes from it, then what it hears (measured).
CALLER, DESTINATION = 1, 0
A_MS = RATE // 1000
FAR = 12 * 3600 * RATE  # no call is longer: what is named later than that is named by a clock that was set
LATE = 60 * A_MS  # marks are right to 15 ms (measured): what is later than this was lost
Frames = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Part:
    """One file.

    `at`: ms of the epoch. `after`: the seconds of the pause before it. `frames`: both sides, a row a sample;
    a four-hour call has 460 MB of them, which stay on the disk. `marks`: at this ms, so many were there.
    """

    at: int
    after: int
    frames: Frames
    marks: tuple[tuple[int, int], ...] = ()

    @classmethod
    def read(cls, file: Path, name: re.Match[str]) -> "Part":
        """`name`: what NAME found in it. A frame that was cut by a crash is left out. Raises OSError."""
        length = file.stat().st_size // (BOTH * SAMPLE)
        shape = (length, BOTH)
        frames = np.memmap(file, "<i2", "r", shape=shape) if length else np.zeros(shape, np.int16)
        return cls(int(name[1]), int(name[2] or 0), frames, read_marks(file.with_suffix(".marks")))

    @property
    def written(self) -> int:
        """Since when it is written, ms of the epoch."""
        return self.at + self.after * 1000


@dataclass(frozen=True, slots=True)
class Stretch:
    """Silence, so many samples of it, and then these frames."""

    silence: int
    frames: Frames


@dataclass(frozen=True, slots=True)
class Line:
    """All parts in their places, `length` samples.

    `missing`: seconds within the parts that neither side sent, or that were lost. Silence makes up for them.
    """

    stretches: tuple[Stretch, ...]
    length: int
    missing: float

    def blocks(self, longest: int) -> Iterator[Frames]:
        """The whole of it, at most `longest` samples at a time: the caller, the destination."""
        for stretch in self.stretches:
            for start in range(0, stretch.silence, longest):
                yield np.zeros((min(longest, stretch.silence - start), BOTH), np.int16)
            for start in range(0, len(stretch.frames), longest):
                yield np.asarray(stretch.frames[start : start + longest])[:, [CALLER, DESTINATION]]


def lay(parts: Sequence[Part], lasted: float) -> Line:
    """Where each of them belongs. No sample is ever left out.

    `lasted`: the seconds from the beginning to the end of the recording, 0 if nobody knows them; the silence
    of a pause in which the call ended lasts to there.
    """
    parts = sorted(parts, key=lambda part: part.at)
    stretches: list[Stretch] = []
    reached, missing = 0, 0
    for number, part in enumerate(parts):
        silence = max(place(begin_of(part), parts[0]) - reached, 0)
        within = pieces(part)
        lost = sum(piece.silence for piece in within)
        reached += silence + lost + len(part.frames)
        stretches += [Stretch(silence, part.frames[:0]), *within]
        if number + 1 < len(parts) and len(part.frames):
            lost += max(place(parts[number + 1].at, parts[0]) - reached, 0)
        missing += lost
    if rest := rest_of_pause(parts, reached, lasted):
        stretches.append(Stretch(rest, parts[0].frames[:0]))
    return Line(tuple(stretches), reached + rest, missing / RATE)


def pieces(part: Part) -> list[Stretch]:
    """The part, with silence where it had fallen behind: before the sound between the mark that shows it and
    the mark before, which is a second.
    """
    found, begins, late = [], 0, 0
    for ms, frames in part.marks:
        if begins < frames <= len(part.frames):
            lost = min((ms - part.written) * A_MS, FAR) - frames - late
            lost = lost if lost >= LATE else 0
            found.append(Stretch(lost, part.frames[begins:frames]))
            begins, late = frames, late + lost
    return [*found, Stretch(0, part.frames[begins:])]


def begin_of(part: Part) -> int:
    """Where the silence before this part ends, ms of the epoch; that of an empty one belongs to the next."""
    return part.written if len(part.frames) else part.at


def place(ms: int, first: Part) -> int:
    """The sample of the line at which this instant is."""
    return min(max((ms - first.at) * A_MS, 0), FAR)


def rest_of_pause(parts: Sequence[Part], reached: int, lasted: float) -> int:
    """The samples of the pause in which the call ended, if it did."""
    if not parts or not parts[-1].after or len(parts[-1].frames):
        return 0
    return max(min(round(lasted * RATE), place(parts[-1].written, parts[0])) - reached, 0)


def read_marks(file: Path) -> tuple[tuple[int, int], ...]:
    """Those that are whole, in the order in which they were made; none where nobody looked."""
    with suppress(FileNotFoundError):
        found = map(MARK.fullmatch, file.read_text("ascii", "replace").split("\n")[:-1])
        return tuple((int(it[1]), int(it[2]) // (BOTH * SAMPLE)) for it in found if it)
    return ()
