"""Asterisk's CEL file and its rotated predecessors: each record is read once, in order, however they rotate.

This module blocks, and has no event loop; engine/ari/cel_reader.py gives it a thread.

Asterisk opens, appends to and closes the file for each record, one record at a time. So a file that was
renamed is complete as soon as the new one exists, and this module may rename the file itself.
"""

import math
import os
import re
import time
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import structlog

from engine.ari.cel_marks import Mark, Marks
from engine.ari.cel_room import CelRoom, give_back
from engine.ari.cel_source import GzipSource, PlainSource, Source, open_source
from journal.cel import CelEvent, parse, records

READ_BYTES = 1 << 15  # some 170 records, parsed in 1.5 ms: so long the event loop waits for the interpreter
LONGEST_LINE = 8192
ATTEMPTS = 5  # to read a file that is rotated meanwhile; then again at the next look
SETTLED_SECONDS = 5.0  # a rotated file of this age is no longer written, copied or gzipped
FORGOTTEN_SECONDS = 3600.0  # then a mark is dropped that fits no file
log = structlog.get_logger()
Stamp = tuple[int, int, int]  # inode, size, time of modification: a file with the same has not changed


@dataclass(frozen=True, slots=True)
class Batch:
    """The next events of one file, perhaps none, and the bytes that contain them."""

    events: list[CelEvent]
    data: bytes
    mark: Mark


class CelFiles:
    """`cel`: the file that Asterisk writes; its folder has the rotated files. `marks`: what has been taken.

    `max_bytes`: a larger file is renamed. `keep_seconds`: a rotated file that was taken to its end is removed
    at this age. `skipped`: number of lines and files that could not be read.
    """

    def __init__(self, cel: Path, marks: Marks, max_bytes: int, keep_seconds: float) -> None:
        self.skipped = 0
        self._cel = cel
        self._marks = marks
        self._max_bytes = max_bytes
        self._keep_seconds = keep_seconds
        self._rotated = re.compile(re.escape(cel.name) + r"(?:\.([0-9]{1,9})|-[0-9-]{1,20})(?:\.gz)?")
        self._read: dict[Path, tuple[Stamp, Mark]] = {}  # files read to their end, and what they were then
        self._stamp: Stamp | None = None  # of `cel`, when it was last read to its end
        self._source: PlainSource | None = None  # `cel`, kept open
        self._mark = Mark()  # of `cel`
        self._unseen: dict[Mark, float] = {}  # marks that fit no file, since when
        self._reported: set[str] = set()
        self._room = CelRoom(cel)

    @property
    def headroom(self) -> int:
        """Bytes that Asterisk can still append when the disk is full."""
        return self._room.bytes

    def unread(self, everywhere: bool = False) -> Iterator[Batch]:
        """Yield what has not been taken, oldest file first; call take() for each batch. Raise OSError.

        Read rotated files only if `everywhere`, or if `cel` is another file or was cut since the last time.
        """
        for _ in range(ATTEMPTS):
            if (yield from self._unread(everywhere)):
                return
            everywhere = True

    def _unread(self, everywhere: bool) -> Generator[Batch, None, bool]:
        """Like unread(); return False if `cel` has become another file meanwhile."""
        stamp = _stamp(self._cel)
        if stamp == self._stamp and not everywhere:
            return True
        is_same = stamp is not None and self._goes_on(stamp)
        if not is_same:
            yield from self._unread_behind()
        if everywhere or not is_same:
            yield from self._unread_rotated(self._ordered())
        self._stamp, is_read = None, stamp is None
        if stamp is not None and (is_same or self._open_anew(stamp)) and self._source is not None:
            is_read = yield from self._batches(self._cel, self._source, self._mark, until=stamp[1])
            self._stamp = stamp if is_read else None
        return is_read

    def take(self, batch: Batch) -> None:
        """The events of this batch are durable."""
        self._marks.move(batch.mark, batch.data)

    def tidy(self) -> None:
        """Keep headroom for a full disk, rename a large file and remove old ones. Raise OSError."""
        self._remove_old()
        number = max(map(self._number, self._siblings()), default=0) + 1
        rotated = self._cel.with_name(f"{self._cel.name}.{number}")
        stamp = _stamp(self._cel)
        if stamp is not None and stamp[1] > self._max_bytes:
            self._room.rotate(rotated)
        else:
            self._room.ensure(rotated)

    def close(self) -> None:
        """Close the file that is kept open."""
        if self._source is not None:
            self._source.close()
            self._source = None

    def _goes_on(self, stamp: Stamp) -> bool:
        """Whether `cel` is the file that is open, and still contains what was taken from it."""
        if self._source is None or self._stamp is None or self._stamp[0] != stamp[0]:
            return False
        return stamp[1] >= self._mark.offset and self._mark.fits(self._source)

    def _open_anew(self, stamp: Stamp) -> bool:
        """Open `cel`; return False if it is another file now: its predecessor must be read first."""
        self.close()
        try:
            source = PlainSource(self._cel)
        except FileNotFoundError:
            return False
        if source.inode != stamp[0]:
            source.close()
            return False
        self._source, self._mark = source, self._marks.find(source) or Mark()
        return True

    def _unread_behind(self) -> Iterator[Batch]:
        """Yield the rest of the file that is open, whatever its name is now, unless it was cut."""
        if self._source is not None and self._mark.fits(self._source):
            yield from self._batches(self._cel, self._source, self._mark)

    def _unread_rotated(self, paths: list[Path]) -> Iterator[Batch]:
        seen: set[Mark] = {self._mark}
        for path in paths:
            stamp = _stamp(path)
            known = self._read.get(path)
            if stamp is None or (known and known[0] == stamp):
                seen.update([known[1]] if known else [])
                continue
            try:
                source = open_source(path)
            except OSError as error:
                self._report("cel_file_unreadable", path, error=str(error))
                continue
            with closing(source):
                mark = self._marks.find(source)
                if mark is None and not _settled(stamp) and self._marks.is_shorter_copy(source):
                    continue
                if mark is None and (longer := self._marks.of_longer(source)):  # somebody's copy
                    seen.add(longer)
                    self._read[path] = (stamp, longer)
                    continue
                seen.add(mark := mark or Mark())
                yield from self._batches(path, source, mark)
                if _settled(stamp):
                    yield from self._rest(path, source, mark)
                    self._read[path] = (stamp, mark)
        self._forget(paths, seen)

    def _batches(
        self, path: Path, source: Source, mark: Mark, until: float = math.inf
    ) -> Generator[Batch, None, bool]:
        """Yield whole or overlong lines. Return False if the file was cut or rewritten.

        `until`: this size is enough. On a slow disk lines may come as fast as they are taken: without it,
        there would be no end.
        """
        data: bytes | None = b""
        while mark.offset < until and (data := source.read_on(mark.tail, mark.offset, READ_BYTES)):
            whole = data[: max(data.rfind(b"\n"), data.rfind(b"\0")) + 1]
            if not whole and len(data) <= LONGEST_LINE:
                break
            yield self._batch(path, whole or data, mark)
        return data is not None

    def _rest(self, path: Path, source: Source, mark: Mark) -> Iterator[Batch]:
        """Yield a last line that was cut: it will not be completed."""
        if isinstance(source, GzipSource) and source.damage:
            self._report("cel_file_damaged", path, error=source.damage)
        if data := source.read(mark.offset, READ_BYTES):
            yield self._batch(path, data, mark)

    def _batch(self, path: Path, data: bytes, mark: Mark) -> Batch:
        events: list[CelEvent] = []
        for line in data.replace(b"\0", b"\n").split(b"\n"):  # a power cut leaves NUL bytes
            if not line:
                continue
            for record in records(line) if len(line) <= LONGEST_LINE else ():
                try:
                    events.append(parse(record))
                except ValueError:
                    self._report("cel_line_skipped", path, bytes=len(record), before=mark.offset + len(data))
            if len(line) > LONGEST_LINE:
                self._report("cel_line_too_long", path, bytes=len(line), before=mark.offset + len(data))
        return Batch(events, data, mark)

    def _siblings(self) -> list[Path]:
        prefixes = (self._cel.name + ".", self._cel.name + "-")
        return [path for path in self._cel.parent.iterdir() if path.name.startswith(prefixes)]

    def _named(self, path: Path) -> re.Match[str] | None:
        """Match the name of a rotated file: ours, or logrotate's with number or date."""
        return self._rotated.fullmatch(path.name)

    def _ordered(self) -> list[Path]:
        """Return the rotated files, the newest last; a gzipped file has the time of its source."""
        files = [(stamp[2], self._number(path), path) for path in self._siblings() if (stamp := _stamp(path))]
        return [path for *_, path in sorted(files) if path.is_file()]

    def _number(self, path: Path) -> int:
        """Return the number in the name of a rotated file, 0 without one."""
        match = self._named(path)
        return int(match[1] or 0) if match else 0

    def _forget(self, paths: list[Path], seen: set[Mark]) -> None:
        """Forget files that no longer exist, and after a while their marks."""
        self._read = {path: known for path, known in self._read.items() if path in set(paths)}
        now = time.monotonic()
        self._unseen = {mark: self._unseen.get(mark, now) for mark in self._marks if mark not in seen}
        expired = {mark for mark, since in self._unseen.items() if now - since > FORGOTTEN_SECONDS}
        if expired:
            self._marks.keep_only({mark for mark in self._marks if mark not in expired})

    def _remove_old(self) -> None:
        oldest = time.time() - self._keep_seconds
        for path, (stamp, _) in tuple(self._read.items()):
            if not self._named(path) or stamp != _stamp(path):
                continue
            if stamp[2] < oldest * 1e9:
                path.unlink(missing_ok=True)
            else:
                give_back(path)

    def _report(self, event: str, path: Path, **facts: object) -> None:
        """Count it, and log the first of each kind in each file: a damaged file must not fill the log."""
        self.skipped += 1
        if (kind := f"{event} {path.name}") not in self._reported:
            self._reported.add(kind)
            log.error(event, file=path.name, **facts)


def _stamp(path: Path) -> Stamp | None:
    """Return None if there is no such file."""
    try:
        now = os.stat(path)
    except FileNotFoundError:
        return None
    return now.st_ino, now.st_size, now.st_mtime_ns


def _settled(stamp: Stamp) -> bool:
    return time.time() - stamp[2] / 1e9 > SETTLED_SECONDS
