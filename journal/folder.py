"""The journal's folder, for its writer: lock, current segment, reserve, entries of open calls."""

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
WORTH_BYTES = 4096  # a segment with less room is not continued
# So long a call stays open for the worker if the entry of its end is damaged. With 200 open calls, of 2 kB
# each, the checkpoints are 60 MB a day.
CHECKPOINT_SECONDS = 600.0
log = structlog.get_logger()

type Allocate = Callable[[int, Path], None]  # allocates at least so many bytes to that file


class JournalInUse(Exception):
    """Another engine writes this journal: run one engine on a host, or give each its own state folder."""


@dataclass(frozen=True, slots=True)
class PendingEntry:
    """An entry on its way to the disk. `durable` belongs to the event loop, `since` is monotonic time."""

    entry: Entry
    payload: bytes
    stamp: Stamp
    since: float
    durable: Future[None]


@dataclass(frozen=True, slots=True)
class Place:
    """The folder of a journal, its node (plain ASCII, without quotes), and the size of its segments."""

    directory: Path
    node: str
    segment_bytes: int


class JournalFolder:
    """Writes groups of entries. Not thread-safe, except `reserve`: one thread at a time uses it."""

    def __init__(self, place: Place, lock: int, recovered: Recovered) -> None:
        self.recovered = recovered
        self._place = place
        self._lock = lock
        last = epoch_of(Path(recovered.newest)) if recovered.newest else 0
        self._epoch = max(int(time.time()), last + 1)
        self._open = {call: list(open_call.payloads) for call, open_call in recovered.open_calls.items()}
        self._heartbeat = recovered.heartbeat
        self._wall = recovered.wall
        self._after = recovered.newest
        self._segment: Segment | None = None
        self._is_settled = False  # a group is durable in this segment
        self._leftover: Path | None = None
        self._seq = 0
        self._n = 0
        self._reserve = Reserve(place.directory, place.segment_bytes)
        self._reserve.find()
        self._next_fill = 0.0
        self._next_checkpoint = 0.0
        self._reserve_error = ""

    @classmethod
    def open(cls, place: Place) -> "JournalFolder":
        """Lock the folder (created if missing), and read its open calls. Raises JournalInUse, OSError."""
        lock = take(place.directory)
        try:
            return cls(place, lock, recover(place.directory))
        except BaseException:
            os.close(lock)
            raise

    @property
    def reserve(self) -> int:
        """Bytes that the journal can still write when the disk is full."""
        segment = self._segment
        return self._reserve.allocated + (segment.room if segment else 0)

    def begin(self) -> None:
        """Begin the first segment; on a full disk continue that of the predecessor. Raises OSError."""
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

    def write(self, group: Sequence[PendingEntry]) -> None:
        """Make these entries durable, in order. Raises OSError: then each of them may be lost."""
        size = sum(HEADER.size + len(pending.payload) for pending in group)
        if self._segment is None or not self._segment.has_room(size):
            self._segment = self._roll(size)
        elif time.monotonic() >= self._next_checkpoint:
            self._name_open_calls(self._segment, size)
        self._segment.append([self._record(pending.stamp, pending.payload) for pending in group])
        point("journal.before_sync")
        self._segment.sync()
        point("journal.after_sync")
        self._is_settled, self._leftover = True, None

    def remember(self, group: Iterable[PendingEntry]) -> None:
        """These entries are durable. The next segment begins with the entries of open calls."""
        for pending in group:
            match pending.entry:
                case CallStarted(call=call):
                    self._open.setdefault(call, []).append(pending.payload)
                case CallEnded(call=call):
                    self._open.pop(call, None)
                case Heartbeat():
                    self._heartbeat = pending.payload
                case entry if entry.call in self._open:
                    self._open[entry.call].append(pending.payload)
            self._wall = pending.stamp.wall

    def give_up(self) -> None:
        """Leave the segment after a failed write.

        All entries that are not durable are written again, to another segment. Of segments without a durable
        entry only the last one is kept: with one attempt a second, they would fill the disk.
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
        """Seconds until the reserve is allocated again; None while it is there."""
        return None if self._reserve.allocated else max(self._next_fill - time.monotonic(), 0.0)

    def fill_reserve(self) -> None:
        """Allocate the next segment, unless it is allocated; after a failure, not for ten seconds."""
        if self._reserve.allocated or time.monotonic() < self._next_fill:
            return
        self._next_fill = time.monotonic() + RESERVE_RETRY_SECONDS
        failure, before = "", self._reserve_error
        try:
            self._reserve.fill()
        except OSError as error:
            failure = str(error)
        self._reserve_error = failure
        if failure and not before:
            log.error("journal_reserve_missing", bytes_left=self.reserve, error=failure)
        elif before and not failure:
            log.warning("journal_reserve_filled")

    def close(self) -> None:
        """Leave the folder to the next engine; on a full disk, with the allocated rest of the segment."""
        segment, self._segment = self._segment, None
        if segment is not None:
            segment.finish(gives_back=self._reserve.allocated > 0)
        os.close(self._lock)

    def _go_on(self) -> bool:
        """Continue the last segment of the predecessor, with its epoch; return False if it has no room."""
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
        """Begin a new segment, with the entries of all open calls and `room` for more."""
        self._n += 1
        name = segment_name(self._epoch, self._n)
        first = self._checkpoint()
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
        """Use the reserve; otherwise allocate a segment, or what the disk has left."""
        if not self._reserve.use(draft, least):
            allocate_most(draft, least, max(self._place.segment_bytes, least))

    def _allocate_whole(self, least: int, draft: Path) -> None:
        """Allocate a segment, and leave the reserve."""
        allocate(draft, max(self._place.segment_bytes, least))

    def _record(self, stamp: Stamp, payload: bytes) -> bytes:
        self._seq += 1
        return encode(self._epoch, self._seq, stamp, payload)

    def _name_open_calls(self, segment: Segment, room: int) -> None:
        """Append a checkpoint if there is `room` for more after it; else the next segment begins with one.

        On a full disk, when the reserve is used up, the rest of the segment is for calls.
        """
        if self._reserve.allocated:
            named = self._checkpoint()
            if segment.has_room(len(named) + room):
                segment.append([named])

    def _checkpoint(self) -> bytes:
        self._next_checkpoint = time.monotonic() + CHECKPOINT_SECONDS
        stamp = Stamp(time.clock_gettime_ns(time.CLOCK_BOOTTIME), self._wall)
        payload = checkpoint(self._place.node, self._after, self._open.values(), self._heartbeat)
        return self._record(stamp, payload)


def take(directory: Path) -> int:
    """Lock the folder by an open file; closing it, or the end of the process, frees the lock.

    Raises JournalInUse, OSError.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Open it for reading: so a read-only file system can be locked too.
    lock = os.open(directory / "lock", os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise JournalInUse(
            f"{directory}: another engine writes this journal; stop it, or set another `state` folder"
        ) from None
    return lock
