"""The journal and the logs of a running service, read as they grow: each poll reads only what is new.

Read from the beginning at each poll, the journal of a few hundred calls kept a test's event loop, and the
telephones in it, busy for tens of milliseconds at a time.
"""

import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from journal.reader import read
from journal.segment import segments

Json = dict[str, Any]


class FollowedJournal:
    """The entries of a journal's folder, in the order of writing, but for checkpoints, which repeat some."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._offsets: dict[Path, int] = {}
        self._entries: list[Json] = []
        self._of_call: dict[str, list[int]] = defaultdict(list)  # places in _entries
        self._calls_to: dict[str, list[str]] = defaultdict(list)

    def entries(self) -> list[Json]:
        """All of them."""
        self._read_on()
        return list(self._entries)

    def of_number(self, number: str) -> list[Json]:
        """Those of the calls to this service number."""
        self._read_on()
        places = {place for call in self._calls_to.get(number, ()) for place in self._of_call[call]}
        return [self._entries[place] for place in sorted(places)]

    def _read_on(self) -> None:
        for path in segments(self._folder):
            new = read(path, self._offsets.get(path, 0))
            self._offsets[path] = new.next_offset
            for record in new.records:
                self._add(json.loads(record.payload))

    def _add(self, entry: Json) -> None:
        if entry["kind"] == "checkpoint":
            return
        if call := entry.get("call"):
            self._of_call[call].append(len(self._entries))
        if entry["kind"] == "call_start":
            self._calls_to[entry["number"]].append(entry["call"])
        self._entries.append(entry)


class FollowedLog:
    """The lines of a log file, each an object of JSON."""

    def __init__(self, file: Path) -> None:
        self.lines: list[Json] = []
        self._file = file
        self._offset = 0
        self._counts: Counter[str] = Counter()

    def read_on(self) -> list[Json]:
        """All lines that are there by now. A line without its end is not there yet."""
        with self._file.open("rb") as file:
            file.seek(self._offset)
            text, newline, _ = file.read().rpartition(b"\n")
        self._offset += len(text) + len(newline)
        new = [json.loads(line) for line in text.splitlines()]
        self.lines += new
        self._counts.update(line["event"] for line in new)
        return self.lines

    def count(self, event: str) -> int:
        """How many lines are of this event."""
        self.read_on()
        return self._counts[event]
