"""The journal's folder in the hands of its writer: lock, current segment, reserve, entries of open calls."""

import fcntl
import os
import time
from asyncio import Future
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import structlog

from journal.checkpoint import checkpoint
from journal.entries import CallEnded, CallStarted, Entry, Heartbeat
from journal.fault import point
from journal.recovery import Recovered, recover
from journal.reserve import FULL, Reserve, allocate, allocate_most
from journal.segment import (
    HEADER,
    Segment,
    Stamp,
    cut_zeros,
    encode,
    epoch_of,
    number_of,
    segment_name,
)

RESERVE_RETRY_SECONDS = 10.0
WORTH_BYTES = 4096  # of a segment, to go on in it
log = structlog.get_logger()

type Allocate = Callable[[int, Path], None]  # at least so many bytes in that file


class JournalInUse(Exception):
    """Another engine writes this journal: there is one engine to a host, or each has its own state folder."""


@dataclass(frozen=True, slots=True)
class Noted:
    """An entry on its way to the disk. `durable` is the event loop's, `since` the monotonic clock's."""

    entry: Entry
    payload: bytes
    stamp: Stamp
    since: float
    durable: Future[None]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a journal is written, by which node (plain ASCII, without quotes), in segments of which size."""

    directory: Path
    node: str
    segment_bytes: int


class Book:
    """Writes groups of entries. Not thread-safe, but for `reserve`: whoever has opened it hands it on."""

    def __init__(self, place: Place, lock: int, recovered: Recovered) -> None:
        self.recovered = recovered
        self._place = place
        self._lock = lock
        last = epoch_of(Path(recovered.newest)) if recovered.newest else 0
        self._epoch = max(int(time.time()), last + 1)
        self._open = {call: list(found.payloads) for call, found in recovered.open_calls.items()}
        self._heartbeat = recovered.heartbeat
        self._wall = recovered.wall
        self._after = recovered.newest
        self._segment: Segment | None = None
        self._is_settled = False  # has a group been made durable in this segment?
        self._leftover: Path | None = None
        self._seq = 0
        self._n = 0
        self._reserve = Reserve(place.directory, place.segment_bytes)
        self._reserve.find()
        self._next_fill = 0.0
        self._reserve_trouble = ""

    @classmethod
    def open(cls, place: Place) -> "Book":
        """Take the folder (made when missing), and read what is open in it. Raises JournalInUse, OSError."""
        lock = take(place.directory)
        try:
            return cls(place, lock, recover(place.directory))
        except BaseException:
            os.close(lock)
            raise

    @property
    def reserve(self) -> int:
        """Bytes that the journal can grow by when the disk is full."""
        segment = self._segment
        return self._reserve.allocated + (segment.room if segment else 0)

    def begin(self) -> None:
        """Begin the first segment; on a full disk go on in that of our predecessor. Raises OSError."""
        try:
            self._roll(0, self._allocate_whole)
        except OSError as error:
            if error.errno not in FULL:
                raise
            if self._go_on():
                return
            self._roll(0)
        for path in self.recovered.read:
            cut_zeros(path)

    def write(self, group: Sequence[Noted]) -> None:
        """Make these entries durable, in order. Raises OSError: then none of them is known to be."""
        size = sum(HEADER.size + len(noted.payload) for noted in group)
        if self._segment is None or not self._segment.has_room(size):
            self._segment = self._roll(size)
        self._segment.append([self._record(noted.stamp, noted.payload) for noted in group])
        point("journal.before_sync")
        self._segment.sync()
        point("journal.after_sync")
        self._is_settled, self._leftover = True, None

    def remember(self, group: Iterable[Noted]) -> None:
        """These entries are durable: the next segment begins with those of calls that are open."""
        for noted in group:
            match noted.entry:
                case CallStarted(call=call):
                    self._open.setdefault(call, []).append(noted.payload)
                case CallEnded(call=call):
                    self._open.pop(call, None)
                case Heartbeat():
                    self._heartbeat = noted.payload
                case entry if entry.call in self._open:
                    self._open[entry.call].append(noted.payload)
            self._wall = noted.stamp.wall

    def give_up(self) -> None:
        """Leave the segment: a write in it has failed.

        All entries that are not durable are written again, in another one. So of segments that never held
        anything else only the last is left: tried each second, they would fill the disk.
        """
        segment, self._segment = self._segment, None
        if segment is None:
            return
        segment.finish()
        if not self._is_settled:
            before, self._leftover = self._leftover, self._place.directory / segment.name
            if before is not None:
                with suppress(OSError):
                    before.unlink()

    @property
    def next_fill(self) -> float | None:
        """Seconds until the reserve is to be tried again; None while there is one."""
        return None if self._reserve.allocated else max(self._next_fill - time.monotonic(), 0.0)

    def fill_reserve(self) -> None:
        """Allocate the next segment, unless it is; where that fails, not again for ten seconds."""
        if self._reserve.allocated or time.monotonic() < self._next_fill:
            return
        self._next_fill = time.monotonic() + RESERVE_RETRY_SECONDS
        trouble, before = "", self._reserve_trouble
        try:
            self._reserve.fill()
        except OSError as error:
            trouble = str(error)
        self._reserve_trouble = trouble
        if trouble and not before:
            log.error("journal_reserve_missing", bytes_left=self.reserve, error=trouble)
        elif before and not trouble:
            log.warning("journal_reserve_filled")

    def close(self) -> None:
        """Leave the folder to the next engine; on a full disk with what is allocated and not written."""
        segment, self._segment = self._segment, None
        if segment is not None:
            segment.finish(gives_back=self._reserve.allocated > 0)
        os.close(self._lock)

    def _go_on(self) -> bool:
        """Go on in the last segment of our predecessor, with its epoch; False where it has no room left."""
        if not self.recovered.read:
            return False
        path = self.recovered.read[-1]
        segment = Segment.reopen(path, self.recovered.end)
        if segment.room < WORTH_BYTES:
            segment.finish(gives_back=False)
            return False
        self._segment, self._is_settled = segment, True
        self._epoch, self._n, self._seq = epoch_of(path), number_of(path), self.recovered.seq
        return True

    def _roll(self, room: int, how: Allocate | None = None) -> Segment:
        """Go on in a new segment, which begins with the entries of all open calls and has `room` for more."""
        self._n += 1
        name = segment_name(self._epoch, self._n)
        first = self._record(
            Stamp(time.clock_gettime_ns(time.CLOCK_BOOTTIME), self._wall), self._checkpoint()
        )
        least = len(first) + room + 2 * HEADER.size
        fresh = Segment.create(self._place.directory / name, first, partial(how or self._allocate, least))
        point("journal.after_roll")
        if self._segment is not None:
            self._segment.finish()
        self._segment = fresh
        self._after = name
        self._is_settled = False
        return fresh

    def _allocate(self, least: int, draft: Path) -> None:
        """Take the reserve; else so many bytes of the disk as a segment has, or as it has left."""
        if not self._reserve.use(draft, least):
            allocate_most(draft, least, max(self._place.segment_bytes, least))

    def _allocate_whole(self, least: int, draft: Path) -> None:
        """So many bytes as a segment has, and the reserve stays."""
        allocate(draft, max(self._place.segment_bytes, least))

    def _record(self, stamp: Stamp, payload: bytes) -> bytes:
        self._seq += 1
        return encode(self._epoch, self._seq, stamp, payload)

    def _checkpoint(self) -> bytes:
        return checkpoint(self._place.node, self._after, self._open.values(), self._heartbeat)


def take(directory: Path) -> int:
    """The lock on the folder: an open file, freed by closing it or by dying. Raises JournalInUse, OSError."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    # For reading: so it can be taken on a file system that was made read-only, too.
    lock = os.open(directory / "lock", os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise JournalInUse(
            f"{directory}: another engine writes this journal; stop it, or set another `state` folder"
        ) from None
    return lock
