"""The thread that writes the journal: one write and one fdatasync for all entries that came during the last.

There is no timer. While one group is synced (p50 1.8 ms) the next group gathers: a single entry does not
wait, and a burst becomes a few large groups.

A failed write or fdatasync poisons the segment: the kernel may have dropped the pages, and the next fdatasync
succeeds nevertheless (PostgreSQL panics for that reason). So a new segment is begun, with all entries that
may not be durable. If that fails too, the journal is *degraded*: entries are kept in memory, retried each
second, and called durable at once, because callers must be answered whatever else is broken. A journal that
cannot be opened when the engine starts is degraded from the beginning.

This thread never dies silently: if anything except writing fails, `died` is called.
"""

import time
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from threading import Thread

import structlog

from journal.fault import point
from journal.folder import JournalFolder, PendingEntry
from journal.recovery import Recovered

GROUP = 2_000  # entries or a few more; about 0.5 MB
RETRY_SECONDS = 1.0
MOST_UNSAVED = (
    500_000  # entries of a degraded journal in memory, about 200 MB: half an hour of 30 calls a second
)
log = structlog.get_logger()


class JournalThread(Thread):
    """Owns the journal's folder. Gets entries by a queue; calls `on_durable` for those that are durable."""

    def __init__(
        self,
        open_folder: Callable[[], JournalFolder],
        on_durable: Callable[[Sequence[PendingEntry]], None],
        died: Callable[[BaseException], None],
    ) -> None:
        super().__init__(name="journal", daemon=True)  # it does not keep a failed engine from ending
        self.degraded = False
        self.oldest: float | None = None  # `since` of the oldest entry that is not durable
        self._folder: JournalFolder | None = None  # None: it could not be opened yet
        self._open_folder = open_folder
        self._on_durable = on_durable
        self._died = died
        self._queue: SimpleQueue[list[PendingEntry] | None] = SimpleQueue()
        self._unsaved: list[PendingEntry] = []
        self._next_try = 0.0
        self._last_error = ""

    @property
    def reserve(self) -> int:
        """Bytes that the journal can still write when the disk is full."""
        return self._folder.reserve if self._folder else 0

    def put(self, entries: list[PendingEntry]) -> None:
        """Add entries, all at once: each call may cost a change of threads."""
        self._queue.put(entries)

    def finish(self) -> None:
        """Write the rest, and end."""
        self._queue.put(None)

    def begin(self) -> Recovered:
        """Open the folder and begin its first segment, before the thread starts; return what was recovered.

        If that fails, the journal is degraded. Raises JournalInUse.
        """
        try:
            self._folder = self._open_folder()
            self._folder.begin()
            self._folder.fill_reserve()
        except OSError as error:
            self._degrade(error)
        return self._folder.recovered if self._folder else Recovered()

    def release(self) -> None:
        """Leave the folder, after the thread has ended."""
        if self._folder is not None:
            self._folder.close()

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
            self._add(group)
            is_due = not self.degraded or not is_open or time.monotonic() >= self._next_try
            if is_due and (self._unsaved or self.degraded):
                self._save()
            if is_open and self._folder is not None and not self.degraded:
                self._folder.fill_reserve()  # once every waiter has been notified
        if self._unsaved:
            log.critical("journal_entries_lost", entries=len(self._unsaved))

    def _gather(self) -> tuple[list[PendingEntry], bool]:
        """Return the next group, and whether more may come. Empty if something must be retried."""
        group: list[PendingEntry] = []
        try:
            entries = self._queue.get(timeout=self._patience)
            while entries is not None:
                group += entries
                if len(group) >= GROUP:
                    return group, True
                entries = self._queue.get_nowait()
        except Empty:
            return group, True
        return group, False

    @property
    def _patience(self) -> float | None:
        """Seconds until something must be retried, even if no entry comes."""
        if self.degraded:
            return RETRY_SECONDS
        return self._folder.next_fill if self._folder else None

    def _add(self, group: list[PendingEntry]) -> None:
        self._unsaved += group
        lost = len(self._unsaved) - MOST_UNSAVED
        del self._unsaved[MOST_UNSAVED:]
        self.oldest = self._unsaved[0].since if self._unsaved else None
        if self.degraded:
            self._on_durable(group)
        if lost > 0:
            log.critical("journal_entries_lost", entries=lost)

    def _save(self) -> None:
        """Make the unsaved entries durable, in a new segment if this one fails."""
        try:
            try:
                self._write()
            except OSError as error:
                self._poison(error)
                self._write()
        except Exception as error:  # noqa: BLE001 - calls go on, and it is retried
            self._degrade(error)
        else:
            self._settle()

    def _write(self) -> None:
        if self._folder is None:
            self._folder = self._open_folder()
        self._folder.write(self._unsaved)

    def _settle(self) -> None:
        saved, self._unsaved = self._unsaved, []
        was_degraded, self.degraded = self.degraded, False
        self.oldest = None
        self._last_error = ""
        if self._folder is not None:
            self._folder.remember(saved)
        self._on_durable(saved)
        if was_degraded:
            log.warning("journal_written_again")

    def _poison(self, error: OSError) -> None:
        if self._folder is not None:
            self._folder.give_up()
        if not self.degraded:  # otherwise it were logged each second
            log.error("journal_segment_poisoned", error=str(error))

    def _degrade(self, error: Exception) -> None:
        was_degraded, self.degraded = self.degraded, True
        self._next_try = time.monotonic() + RETRY_SECONDS
        before, self._last_error = self._last_error, repr(error)
        if self._folder is not None:
            self._folder.give_up()
        if not was_degraded:
            self._on_durable(self._unsaved)
        if self._last_error != before:
            known = isinstance(error, OSError)
            log.critical("journal_degraded", error=str(error), exc_info=None if known else error)
