"""The thread that writes the journal: one write and one fdatasync for all that came during the last one.

No timer gathers a group. While one group is being synced (p50 1.8 ms) the next one gathers by itself: one
entry alone waits for nobody, and a burst becomes few, large groups.

A failed write or fdatasync poisons the segment: the kernel may have dropped the pages and will call the
next fdatasync a success (PostgreSQL panics for that reason). So a new segment is begun, with all that is
not yet known to be durable. When that fails too the journal is *degraded*: entries are kept in memory,
tried again each second, and called durable at once, because callers must be answered whatever else is
broken. A journal that cannot be opened at the engine's start is degraded from the beginning.

This thread never dies in silence: should anything but writing fail, `died` is told of it.
"""

import time
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from threading import Thread

import structlog

from journal.book import Book, Noted
from journal.fault import point
from journal.recovery import Recovered

GROUP = 2_000  # entries and more; about 0.5 MB
RETRY_SECONDS = 1.0
KEPT = (
    500_000  # entries of a degraded journal kept in memory, about 200 MB: half an hour of 30 calls a second
)
log = structlog.get_logger()


class Scribe(Thread):
    """Owns the book; told by a queue, answers by `tell_durable`."""

    def __init__(
        self,
        open_book: Callable[[], Book],
        tell_durable: Callable[[Sequence[Noted]], None],
        died: Callable[[BaseException], None],
    ) -> None:
        super().__init__(
            name="journal", daemon=True
        )  # an engine that dies of an exception must not hang on us
        self.degraded = False
        self.oldest: float | None = None  # `since` of the oldest entry that is not durable
        self._book: Book | None = None  # where it cannot be opened yet
        self._open_book = open_book
        self._tell_durable = tell_durable
        self._died = died
        self._noted: SimpleQueue[list[Noted] | None] = SimpleQueue()
        self._unsaved: list[Noted] = []
        self._next_try = 0.0
        self._trouble = ""

    @property
    def reserve(self) -> int:
        """Bytes that the journal can grow by when the disk is full."""
        return self._book.reserve if self._book else 0

    def put(self, noted: list[Noted]) -> None:
        """Hand over entries, all at once: each time may cost a change of threads."""
        self._noted.put(noted)

    def finish(self) -> None:
        """Write what is left, and end."""
        self._noted.put(None)

    def begin(self) -> Recovered:
        """Open the book and begin its first segment, before the thread is started; what was found in it.

        Degraded where that fails. Raises JournalInUse.
        """
        try:
            self._book = self._open_book()
            self._book.begin()
            self._book.fill_reserve()
        except OSError as error:
            self._degrade(error)
        return self._book.recovered if self._book else Recovered()

    def release(self) -> None:
        """Leave the folder, when the thread has ended."""
        if self._book is not None:
            self._book.close()

    def run(self) -> None:
        try:
            self._write_until_finished()
        except BaseException as error:
            self._died(error)
            log.critical("journal_thread_died", exc_info=error)

    def _write_until_finished(self) -> None:
        is_open = True
        while is_open:
            group, is_open = self._gather()
            point("journal.gathered")
            self._keep(group)
            is_due = not self.degraded or not is_open or time.monotonic() >= self._next_try
            if is_due and (self._unsaved or self.degraded):
                self._save()
            if is_open and self._book is not None and not self.degraded:
                self._book.fill_reserve()  # after all who waited have been told
        if self._unsaved:
            log.critical("journal_entries_lost", entries=len(self._unsaved))

    def _gather(self) -> tuple[list[Noted], bool]:
        """The next group, and whether more may come. Empty when something is to be tried again."""
        group: list[Noted] = []
        try:
            noted = self._noted.get(timeout=self._patience)
            while noted is not None:
                group += noted
                if len(group) >= GROUP:
                    return group, True
                noted = self._noted.get_nowait()
        except Empty:
            return group, True
        return group, False

    @property
    def _patience(self) -> float | None:
        """Seconds until something is to be tried again, also when nothing comes."""
        if self.degraded:
            return RETRY_SECONDS
        return self._book.next_fill if self._book else None

    def _keep(self, group: list[Noted]) -> None:
        self._unsaved += group
        lost = len(self._unsaved) - KEPT
        del self._unsaved[KEPT:]
        self.oldest = self._unsaved[0].since if self._unsaved else None
        if self.degraded:
            self._tell_durable(group)
        if lost > 0:
            log.critical("journal_entries_lost", entries=lost)

    def _save(self) -> None:
        """Make durable what is not, in a new segment if this one fails."""
        try:
            try:
                self._write()
            except OSError as error:
                self._poison(error)
                self._write()
        except Exception as error:  # noqa: BLE001 - whatever it is, calls go on and it is tried again
            self._degrade(error)
        else:
            self._settle()

    def _write(self) -> None:
        if self._book is None:
            self._book = self._open_book()
        self._book.write(self._unsaved)

    def _settle(self) -> None:
        saved, self._unsaved = self._unsaved, []
        was_degraded, self.degraded = self.degraded, False
        self.oldest = None
        self._trouble = ""
        if self._book is not None:
            self._book.remember(saved)
        self._tell_durable(saved)
        if was_degraded:
            log.warning("journal_written_again")

    def _poison(self, error: OSError) -> None:
        if self._book is not None:
            self._book.give_up()
        if not self.degraded:  # else each second
            log.error("journal_segment_poisoned", error=str(error))

    def _degrade(self, error: Exception) -> None:
        was_degraded, self.degraded = self.degraded, True
        self._next_try = time.monotonic() + RETRY_SECONDS
        before, self._trouble = self._trouble, repr(error)
        if self._book is not None:
            self._book.give_up()
        if not was_degraded:
            self._tell_durable(self._unsaved)
        if self._trouble != before:
            known = isinstance(error, OSError)
            log.critical("journal_degraded", error=str(error), exc_info=None if known else error)
