"""Erasing a caller's number from the journal: entries keep their place and length, and lose the number.

    "caller":"+32470123456"  ->  "caller":""            (spaces, which JSON allows)

A record is overwritten in place by one write of the same length, with its checksum: so positions stay right,
and neither the engine, which only appends to the newest segment, nor a later reader notices. Only what is
stored in the database is overwritten: the record of a call that has ended.
"""

import os
import re
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from journal.checkpoint import Checkpoint
from journal.entries import CallStarted
from journal.fault import point
from journal.follower import DAMAGED
from journal.position import Position
from journal.reader import Record, entry_of, read
from journal.segment import Stamp, encode, epoch_of, segments

RECORDS = 1_000  # read at a time


class Patch(NamedTuple):
    """Bytes to write at this place of a file."""

    path: Path
    offset: int
    data: bytes


class Found(NamedTuple):
    """What may be overwritten now, and how many entries have the number, but may not be overwritten yet."""

    patches: list[Patch]
    left: int


@dataclass(frozen=True, slots=True)
class Redaction:
    """Of the numbers `spellings`, of calls that came in until `until` and are neither live nor `spared`.

    `clean`: closed segments that were seen to have none of them, and are not read again; `find` adds to it.
    """

    spellings: Collection[str]
    until: datetime
    live: Collection[str]
    spared: Collection[str]
    clean: set[str] = field(default_factory=set)

    @property
    def _pattern(self) -> re.Pattern[bytes]:
        numbers = b"|".join(re.escape(number.encode()) for number in self.spellings)
        return re.compile(rb'("caller": ?")(' + numbers + rb')(")')

    def find(self, directory: Path, drained: Position) -> Found:
        """Look through all segments, and the copies of damaged bytes; change nothing. Blocks. Raises OSError.

        `drained`: how far the journal is in the database.
        """
        patches: list[Patch] = []
        left = 0
        for path in segments(directory):
            if path.name in self.clean:
                continue
            with suppress(FileNotFoundError):  # swept meanwhile
                found = self._in_segment(path, reached_in(path, drained))
                patches += found.patches
                left += found.left
        for path in sorted((directory / DAMAGED).glob("*.bin")):
            patches += self._in_bytes(path, path.read_bytes(), [])
        return Found(patches, left)

    def without(self, payload: bytes) -> bytes:
        """The payload of an entry without these numbers, as long as before."""

        def empty(match: re.Match[bytes]) -> bytes:
            return match[1] + match[3] + b" " * len(match[2])

        return self._pattern.sub(empty, payload)

    def _in_segment(self, path: Path, reached: int | None) -> Found:
        """`reached`: the byte up to which it is in the database; None: all of it."""
        content = path.read_bytes()
        if not self._pattern.search(content):
            if reached is None:
                self.clean.add(path.name)
            return Found([], 0)
        patches, left, whole = [], 0, []
        for record in records(path):
            whole.append((record.begin, record.end))
            if self._pattern.search(record.payload):
                is_drained = reached is None or record.end <= reached
                payload, waiting = self._redacted(record, is_drained=is_drained)
                left += waiting
                if payload != record.payload:
                    patches.append(patch(path, record, payload))
        if reached is None:
            patches += self._in_bytes(path, content, whole)
        return Found(patches, left)

    def _redacted(self, record: Record, *, is_drained: bool) -> tuple[bytes, int]:
        """The payload without what may be erased now, and how many entries have to wait."""
        entries = (
            [entry for call in record.entry.open for entry in call]
            if isinstance(record.entry, Checkpoint)
            else [record.payload]
        )
        payload, waiting = record.payload, 0
        for entry in entries:
            started = entry_of(entry)
            if not self._pattern.search(entry) or (
                isinstance(started, CallStarted) and (started.at > self.until or started.call in self.spared)
            ):
                continue
            if is_drained and started.call not in self.live:
                payload = payload.replace(entry, self.without(entry))
            else:
                waiting += 1
        return payload, waiting

    def _in_bytes(self, path: Path, content: bytes, whole: list[tuple[int, int]]) -> list[Patch]:
        """What is in no whole record: damaged, or torn by a crash."""
        return [
            Patch(path, match.start(2), b" " * len(match[2]))
            for match in self._pattern.finditer(content)
            if not any(begin <= match.start() < end for begin, end in whole)
        ]


def reached_in(path: Path, drained: Position) -> int | None:
    """The byte up to which this segment is in the database; None: all of it."""
    if path.name < drained.segment:
        return None
    return drained.offset if path.name == drained.segment else 0


def records(path: Path) -> Iterator[Record]:
    """All whole records of a segment."""
    offset = 0
    while batch := read(path, offset, RECORDS).records:
        yield from batch
        offset = batch[-1].end


def patch(path: Path, record: Record, payload: bytes) -> Patch:
    stamp = Stamp(record.boottime, record.wall)
    return Patch(path, record.begin, encode(epoch_of(path), record.seq, stamp, payload))


def apply(patches: list[Patch], sync: Callable[[int], None] = os.fdatasync) -> None:
    """Overwrite these bytes, and make that durable. Raises OSError. It may be repeated after a crash.

    A file that was removed meanwhile is left out. Its time of change stays: by it old segments are removed.
    """
    for path in sorted({patch.path for patch in patches}):
        with suppress(FileNotFoundError), path.open("r+b", buffering=0) as file:
            before = os.fstat(file.fileno())
            point("redact.before_write")
            for one in patches:
                if one.path == path:
                    os.pwrite(file.fileno(), one.data, one.offset)
            sync(file.fileno())
            os.utime(file.fileno(), ns=(before.st_atime_ns, before.st_mtime_ns))
            point("redact.after_write")
