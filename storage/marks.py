"""Marks: how much Asterisk's recorder has written, and when. It has no clock, and writes only what was sent.

It writes 32,768 bytes at a time, 1.024 s of both sides. So the instant at which a file was last written is
the instant at which its end was spoken; right to 15 ms (measured). The worker looks twice a second and
appends a mark to a file beside it, which shows to a second where time is missing. Without marks, only how
much is missing is known (storage/parts.py).

Marks are instants of the clock at the time of the part's name: later steps of the clock are subtracted.
"""

import os
import time
from pathlib import Path

from process.clock import Clock
from storage.parts import NAME

STALE_NS = 10_000_000_000  # a file that was not written for longer is complete


class Marker:
    """Writes marks for the parts in this folder that are being recorded."""

    def __init__(self, folder: Path, clock: Clock | None = None) -> None:
        self._folder = folder
        self._clock = clock or Clock()
        self._seen: dict[str, int] = {}
        self._set: dict[str, int] = {}  # by how many ms the clock was set since this part began

    def look(self) -> None:
        """Write a mark for each part that has grown since the last look. Raises OSError."""
        seen, now, step = self._seen, time.time_ns(), self._clock.look()
        self._seen = {}
        with os.scandir(self._folder) as entries:
            for entry in entries:
                if entry.name.endswith(".raw") and NAME.search(entry.name):
                    # In the look in which the clock was set, a file's instant may be of either clock.
                    self._look_at(entry, seen.get(entry.name, 0), now, marked=step is None)
        by = round(step.seconds * 1000) if step else 0
        self._set = {name: self._set.get(name, 0) + (by if name in seen else 0) for name in self._seen}

    def _look_at(self, entry: os.DirEntry[str], before: int, now: int, *, marked: bool) -> None:
        try:
            stat = entry.stat()
        except FileNotFoundError:
            return
        self._seen[entry.name] = stat.st_size
        if marked and stat.st_size != before and now - stat.st_mtime_ns < STALE_NS:
            marks = self._folder / entry.name.replace(".raw", ".marks")
            at = stat.st_mtime_ns // 1_000_000 - self._set.get(entry.name, 0)
            with marks.open("a") as file:
                file.write(f"{at} {stat.st_size}\n")
