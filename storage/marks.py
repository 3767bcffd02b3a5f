"""How far Asterisk's recorder has come, and when: it has no clock, and does not write what neither side sent.

It writes 32,768 bytes at a time, 1.024 s of both sides, so the instant of a file's last writing tells when
the end of it was heard; right to 15 ms (measured). Looked at twice a second and noted in a file beside it, it
shows where time is missing, to a second. Where nobody looked, only how much is known (storage/parts.py).

Marks are instants of the clock that the part's name is of: what it was set by since is taken off.
"""

import os
import time
from pathlib import Path

from process.clock import Clock
from storage.parts import NAME

STALE_NS = 10_000_000_000  # what was written before that is written no more


class Marker:
    """Looks after the parts in this folder that are being written."""

    def __init__(self, folder: Path, clock: Clock | None = None) -> None:
        self._folder = folder
        self._clock = clock or Clock()
        self._seen: dict[str, int] = {}
        self._set: dict[str, int] = {}  # by how many ms, since this part was begun

    def look(self) -> None:
        """Note how far each has come since the last look. Raises OSError."""
        seen, now, step = self._seen, time.time_ns(), self._clock.look()
        self._seen = {}
        with os.scandir(self._folder) as entries:
            for entry in entries:
                if entry.name.endswith(".raw") and NAME.search(entry.name):
                    # Just when the clock was set nobody knows which one a file's instant is of.
                    self._look_at(entry, seen.get(entry.name, 0), now, noted=step is None)
        by = round(step.seconds * 1000) if step else 0
        self._set = {name: self._set.get(name, 0) + (by if name in seen else 0) for name in self._seen}

    def _look_at(self, entry: os.DirEntry[str], before: int, now: int, *, noted: bool) -> None:
        try:
            found = entry.stat()
        except FileNotFoundError:
            return
        self._seen[entry.name] = found.st_size
        if noted and found.st_size != before and now - found.st_mtime_ns < STALE_NS:
            marks = self._folder / entry.name.replace(".raw", ".marks")
            at = found.st_mtime_ns // 1_000_000 - self._set.get(entry.name, 0)
            with marks.open("a") as file:
                file.write(f"{at} {found.st_size}\n")
