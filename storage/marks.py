"""How far Asterisk's recorder has come, and when: it has no clock, and does not write what neither side sent.

It writes 32,768 bytes at a time, 1.024 s of both sides, so the instant of a file's last writing tells when
the end of it was heard; right to 15 ms (measured). Looked at twice a second and noted in a file beside it, it
shows where time is missing, to a second. Where nobody looked, only how much is known (storage/parts.py).
"""

import os
import time
from pathlib import Path

from storage.parts import NAME

STALE_NS = 10_000_000_000  # what was written before that is written no more


class Marker:
    """Looks after the parts in this folder that are being written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: dict[str, int] = {}

    def look(self) -> None:
        """Note how far each has come since the last look. Raises OSError."""
        seen, now = self._seen, time.time_ns()
        self._seen = {}
        with os.scandir(self._folder) as entries:
            for entry in entries:
                if entry.name.endswith(".raw") and NAME.search(entry.name):
                    self._note(entry, seen.get(entry.name, 0), now)

    def _note(self, entry: os.DirEntry[str], before: int, now: int) -> None:
        try:
            found = entry.stat()
        except FileNotFoundError:
            return
        self._seen[entry.name] = found.st_size
        if found.st_size != before and now - found.st_mtime_ns < STALE_NS:
            marks = self._folder / entry.name.replace(".raw", ".marks")
            with marks.open("a") as file:
                file.write(f"{found.st_mtime_ns // 1_000_000} {found.st_size}\n")
