"""The parts of a recording, as Asterisk's recorder writes them, placed on the timeline.

asterisk/etc/recorder.conf names each file by the instant at which it began, in milliseconds of the epoch. The
name of one that began with a pause also has the seconds after which the recorder writes at all:

    <audio_id>-1764280000123.raw         from 1764280000.123 on
    <audio_id>-1764280060456-s120.raw    a pause since 1764280060.456; written if it lasted longer than 120 s

Each is raw, without a header: 8 kHz, signed, 16 bit, little endian, one sample of each side in turn. The
recorder has no clock: time in which neither side sent anything is not in the file. A file beside it, `.marks`
(storage/marks.py), says how much was written when. Why: docs/decisions/012-recorder.md.
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
# The recorder is on the destination's channel: first the destination's sample, then the caller's (measured).
CALLER, DESTINATION = 1, 0
A_MS = RATE // 1000
FAR = 12 * 3600 * RATE  # no call is longer: a name with a later instant has one of a clock that was set
LATE = 60 * A_MS  # marks are right to 15 ms (measured): when they are later than this, time is missing
Frames = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Part:
    """One file.

    `at`: ms of the epoch. `after`: the seconds of the pause before it. `frames`: a row for each sample of
    both sides; a four-hour call has 460 MB of them, which stay on the disk. `marks`: pairs of an instant (ms)
    and how many frames were written by then.
    """

    at: int
    after: int
    frames: Frames
    marks: tuple[tuple[int, int], ...] = ()

    @classmethod
    def read(cls, file: Path, name: re.Match[str]) -> "Part":
        """`name`: the match of NAME. A frame that a crash has cut is left out. Raises OSError."""
        length = file.stat().st_size // (BOTH * SAMPLE)
        shape = (length, BOTH)
        frames = np.memmap(file, "<i2", "r", shape=shape) if length else np.zeros(shape, np.int16)
        return cls(int(name[1]), int(name[2] or 0), frames, read_marks(file.with_suffix(".marks")))

    @property
    def written(self) -> int:
        """The instant of its first frame, ms of the epoch."""
        return self.at + self.after * 1000


@dataclass(frozen=True, slots=True)
class Stretch:
    """So many samples of silence, and then these frames."""

    silence: int
    frames: Frames


@dataclass(frozen=True, slots=True)
class Line:
    """All parts in their places, `length` samples.

    `missing`: seconds within the parts that neither side sent, or that were lost. Silence replaces them.
    """

    stretches: tuple[Stretch, ...]
    length: int
    missing: float

    def blocks(self, longest: int) -> Iterator[Frames]:
        """All of it, at most `longest` samples at a time; columns: caller, destination."""
        for stretch in self.stretches:
            for start in range(0, stretch.silence, longest):
                yield np.zeros((min(longest, stretch.silence - start), BOTH), np.int16)
            for start in range(0, len(stretch.frames), longest):
                yield np.asarray(stretch.frames[start : start + longest])[:, [CALLER, DESTINATION]]


def lay(parts: Sequence[Part], lasted: float) -> Line:
    """Lay each part on the timeline. No sample is ever left out.

    `lasted`: the seconds from the start to the end of the recording, 0 if not known. If the call ended in a
    pause, the silence lasts until then.
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
    """The part, with silence where time is missing: before the second of sound whose mark shows it."""
    stretches, begins, late = [], 0, 0
    for ms, frames in part.marks:
        if begins < frames <= len(part.frames):
            lost = min((ms - part.written) * A_MS, FAR) - frames - late
            lost = lost if lost >= LATE else 0
            stretches.append(Stretch(lost, part.frames[begins:frames]))
            begins, late = frames, late + lost
    return [*stretches, Stretch(0, part.frames[begins:])]


def begin_of(part: Part) -> int:
    """Where the silence before this part ends, ms of the epoch; an empty part leaves it to the next one."""
    return part.written if len(part.frames) else part.at


def place(ms: int, first: Part) -> int:
    """The sample of the timeline at this instant."""
    return min(max((ms - first.at) * A_MS, 0), FAR)


def rest_of_pause(parts: Sequence[Part], reached: int, lasted: float) -> int:
    """The samples of the pause in which the call ended, if it did."""
    if not parts or not parts[-1].after or len(parts[-1].frames):
        return 0
    return max(min(round(lasted * RATE), place(parts[-1].written, parts[0])) - reached, 0)


def read_marks(file: Path) -> tuple[tuple[int, int], ...]:
    """The complete marks of a file, in order; none if the worker did not run."""
    with suppress(FileNotFoundError):
        matches = map(MARK.fullmatch, file.read_text("ascii", "replace").split("\n")[:-1])
        return tuple((int(mark[1]), int(mark[2]) // (BOTH * SAMPLE)) for mark in matches if mark)
    return ()
