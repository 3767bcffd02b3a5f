"""The thread that writes the journal: one write and one fdatasync for all that came during the last one.

No timer gathers a group. While one group is being synced (p50 1.8 ms) the next one gathers by itself: one
entry alone waits for nobody, and a burst becomes few, large groups.

A failed write or fdatasync poisons the segment: the kernel may have dropped the pages and will call the
next fdatasync a success (PostgreSQL panics for that reason). So a new segment is begun, with all that is
not yet known to be durable. When that fails too the journal is *degraded*: entries are kept in memory,
tried again each second, and called durable at once, because callers must be answered whatever else is
broken.
"""

import time
from asyncio import Future
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread

import structlog

from journal.checkpoint import checkpoint
from journal.entries import CallEnded, CallStarted, Entry, Heartbeat
from journal.fault import point
from journal.recovery import Recovered
from journal.segment import HEADER, Segment, Stamp, encode, segment_name

GROUP = 2_000  # entries and more; about 0.5 MB
RETRY_SECONDS = 1.0
KEPT = (
    500_000  # entries of a degraded journal kept in memory, about 200 MB: half an hour of 30 calls a second
)
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Noted:
    """An entry on its way to the disk. `durable` is the event loop's, `since` the monotonic clock's."""

    entry: Entry
    payload: bytes
    stamp: Stamp
    since: float
    durable: Future[None]


@dataclass(frozen=True, slots=True)
class Book:
    """Where a scribe writes: folder, node, epoch, the segment before its own, and its segments' size."""

    directory: Path
    node: str
    epoch: int
    after: str
    segment_bytes: int


class Scribe(Thread):
    """Owns the segment and the entries of open calls; told by a queue, answers by `tell_durable`."""

    def __init__(
        self,
        book: Book,
        recovered: Recovered,
        tell_durable: Callable[[Sequence[Noted]], None],
    ) -> None:
        super().__init__(
            name="journal", daemon=True
        )  # an engine that dies of an exception must not hang on us
        self.degraded = False
        self.oldest: float | None = None  # `since` of the oldest entry that is not durable
        self._book = book
        self._open = {call: list(found.payloads) for call, found in recovered.open_calls.items()}
        self._heartbeat = recovered.heartbeat
        self._wall = recovered.wall
        self._tell_durable = tell_durable
        self._noted: SimpleQueue[list[Noted] | None] = SimpleQueue()
        self._unsaved: list[Noted] = []
        self._segment: Segment | None = None
        self._after = book.after
        self._seq = 0
        self._n = 0
        self._next_try = 0.0

    def put(self, noted: list[Noted]) -> None:
        """Hand over entries, all at once: each time may cost a change of threads."""
        self._noted.put(noted)

    def finish(self) -> None:
        """Write what is left, and end."""
        self._noted.put(None)

    def begin(self) -> None:
        """Begin the first segment, before the thread is started. Raises OSError."""
        self._roll(0)

    def run(self) -> None:
        open_ = True
        while open_:
            group, open_ = self._gather()
            self._keep(group)
            if self._unsaved and (not self.degraded or not open_ or time.monotonic() >= self._next_try):
                self._save()
        if self._segment is not None:
            self._segment.finish()
        if self._unsaved:
            log.critical("journal entries lost", entries=len(self._unsaved))

    def _gather(self) -> tuple[list[Noted], bool]:
        """The next group, and whether more may come. Empty when a degraded journal is to try again."""
        group: list[Noted] = []
        try:
            noted = self._noted.get(timeout=RETRY_SECONDS if self.degraded else None)
            while noted is not None:
                group += noted
                if len(group) >= GROUP:
                    return group, True
                noted = self._noted.get_nowait()
        except Empty:
            return group, True
        return group, False

    def _keep(self, group: list[Noted]) -> None:
        self._unsaved += group
        if len(self._unsaved) > KEPT:
            log.critical("journal entries lost", entries=len(self._unsaved) - KEPT)
            del self._unsaved[KEPT:]
        self.oldest = self._unsaved[0].since if self._unsaved else None
        if self.degraded:
            self._tell_durable(group)

    def _save(self) -> None:
        """Make durable what is not, in a new segment if this one fails."""
        try:
            try:
                self._write(self._unsaved)
            except OSError as error:
                self._poison(error)
                self._write(self._unsaved)
        except OSError as error:
            self._degrade(error)
        else:
            self._settle()

    def _write(self, group: Sequence[Noted]) -> None:
        size = sum(HEADER.size + len(noted.payload) for noted in group)
        if self._segment is None or not self._segment.has_room(size):
            self._segment = self._roll(size)
        self._segment.append([self._record(noted.stamp, noted.payload) for noted in group])
        point("journal.before_sync")
        self._segment.sync()
        point("journal.after_sync")

    def _roll(self, room: int) -> Segment:
        """Go on in a new segment, which begins with the entries of all open calls and has `room` for more."""
        self._n += 1
        name = segment_name(self._book.epoch, self._n)
        first = self._record(
            Stamp(time.clock_gettime_ns(time.CLOCK_BOOTTIME), self._wall), self._checkpoint()
        )
        size = max(self._book.segment_bytes, len(first) + room + HEADER.size)
        fresh = Segment.create(self._book.directory, name, size, first)
        point("journal.after_roll")
        if self._segment is not None:
            self._segment.finish()
        self._segment = fresh
        self._after = name
        return fresh

    def _record(self, stamp: Stamp, payload: bytes) -> bytes:
        self._seq += 1
        return encode(self._book.epoch, self._seq, stamp, payload)

    def _checkpoint(self) -> bytes:
        return checkpoint(self._book.node, self._after, self._open.values(), self._heartbeat)

    def _settle(self) -> None:
        saved, self._unsaved = self._unsaved, []
        self._remember(saved)
        self.oldest = None
        if self.degraded:
            self.degraded = False
            log.warning("journal writes again")
        self._tell_durable(saved)

    def _remember(self, group: Iterable[Noted]) -> None:
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

    def _poison(self, error: OSError) -> None:
        log.error("journal segment poisoned", error=str(error))
        self._let_go()

    def _degrade(self, error: OSError) -> None:
        self._let_go()
        self._next_try = time.monotonic() + RETRY_SECONDS
        if not self.degraded:
            log.critical("journal degraded: nothing noted is durable", error=str(error))
            self.degraded = True
            self._tell_durable(self._unsaved)

    def _let_go(self) -> None:
        if self._segment is not None:
            self._segment.abandon()
            self._segment = None
