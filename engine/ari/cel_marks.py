"""How far the contents of CEL files have been taken, whatever the names of these files are now.

A file is identified by its bytes, not by name or inode: by the first bytes, which contain a time in
microseconds and a channel id, and by those just before the offset. So a file that is renamed, copied or
gzipped is recognized, and a file that is written anew is not taken for the former one.
"""

import json
import os
from collections.abc import Container, Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.ari.cel_source import Source
from journal.disk import sync_directory
from journal.fault import point

KNOWN_BYTES = 96
VERSION = 1


class PositionDamaged(Exception):
    """The file with the position cannot be parsed; all CEL is read again."""


@dataclass(slots=True, eq=False)
class Mark:
    """One file's content, taken up to `offset`. `head`: its first bytes; `tail`: those before `offset`."""

    head: bytes = b""
    tail: bytes = b""
    offset: int = 0

    def move(self, data: bytes) -> None:
        """`data` follows at `offset` and has been taken."""
        self.head = (self.head + data[:KNOWN_BYTES])[:KNOWN_BYTES]
        self.tail = (self.tail + data[-KNOWN_BYTES:])[-KNOWN_BYTES:]
        self.offset += len(data)

    def fits(self, source: Source) -> bool:
        """Whether `source` contains what was taken."""
        return source.read(self.offset - len(self.tail), len(self.tail)) == self.tail


class Marks:
    """All marks, and the file in which they survive: a JSON object, replaced as a whole and synced."""

    def __init__(self, kept: Path) -> None:
        self._kept = kept
        self._marks: list[Mark] = []
        self._saved = ""

    def load(self) -> bool:
        """Read the file; return whether it exists. Raise PositionDamaged, OSError."""
        try:
            text = self._kept.read_text()
        except FileNotFoundError:
            return False
        try:
            self._marks = [_mark(**plain) for plain in json.loads(text)["marks"]]
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise PositionDamaged(f"{self._kept} is damaged") from error
        return True

    def text(self) -> str:
        """Return what save() stores."""
        return json.dumps({"version": VERSION, "marks": [_plain(mark) for mark in self._marks]})

    def save(self, text: str) -> None:
        """Make the marks durable, as text() returned them, if they have changed. Raise OSError."""
        if text == self._saved:
            return
        draft = self._kept.with_suffix(".draft")
        with draft.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        point("cel.before_marks")
        draft.replace(self._kept)
        point("cel.after_marks")
        sync_directory(self._kept.parent)
        self._saved = text

    def find(self, source: Source) -> Mark | None:
        """Return the furthest mark that fits this file; None if nothing was taken from the file."""
        head = source.read(0, KNOWN_BYTES)
        alike = [mark for mark in self._marks if head.startswith(mark.head)]
        alike.sort(key=lambda mark: mark.offset)
        return next((mark for mark in reversed(alike) if mark.fits(source)), None)

    def of_longer(self, source: Source) -> Mark | None:
        """Return the mark of a file that begins with all of this one, and of which more was taken."""
        head = source.read(0, KNOWN_BYTES)
        longer = (mark for mark in self._marks if head.startswith(mark.head))
        return next((mark for mark in longer if not source.read(mark.offset - 1, 1)), None)

    def is_shorter_copy(self, source: Source) -> bool:
        """Whether a file begins like one that was taken further: it may be a copy that is not complete yet.

        Such a copy may contain only the first bytes so far, or none.
        """
        head = source.read(0, KNOWN_BYTES)
        return any(head.startswith(mark.head) or mark.head.startswith(head) for mark in self._marks)

    def move(self, mark: Mark, data: bytes) -> None:
        """`data` has been taken. At the first time, add the mark."""
        if not mark.offset:
            self._marks.append(mark)
        mark.move(data)

    def keep_only(self, marks: Container[Mark]) -> None:
        """Forget all others."""
        self._marks = [mark for mark in self._marks if mark in marks]

    def __iter__(self) -> Iterator[Mark]:
        return iter(self._marks)


def _mark(head: str, tail: str, offset: int) -> Mark:
    """Raise ValueError for a mark without content, which would fit any file."""
    mark = Mark(head.encode("latin-1"), tail.encode("latin-1"), offset)
    if not len(mark.head) == len(mark.tail) == min(offset, KNOWN_BYTES) > 0:
        raise ValueError("a mark without content")
    return mark


def _plain(mark: Mark) -> dict[str, str | int]:
    return {"head": mark.head.decode("latin-1"), "tail": mark.tail.decode("latin-1"), "offset": mark.offset}
