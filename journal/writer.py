"""The journal for calls: append what happened, and wait until the entry is durable before acting on it."""

import asyncio
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from contextvars import Context
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Self

from dialplan.result import Result
from journal.codec import encode, kind_of
from journal.entries import CallEnded, Entry, HandedOver
from journal.folder import JournalFolder, JournalInUse, PendingEntry, Place
from journal.recovery import Recovered
from journal.segment import Stamp
from journal.thread import JournalThread

__all__ = ["SEGMENT_BYTES", "Journal", "JournalClosed", "JournalFailed", "JournalInUse"]

SEGMENT_BYTES = 64 * 2**20
# How long an entry that is not awaited waits for others. Of the eight entries of an answered call two are
# awaited. Without the delay 5.1 syncs and 43 futexes a call at 40 calls/s, with it 2.4 and 18.
LAZY_SECONDS = 0.02


class JournalClosed(Exception):
    """An entry was appended after the journal was closed: it would be lost."""


class JournalFailed(Exception):
    """The thread that writes the journal has died: no further entry of this process becomes durable."""


class Durable(asyncio.Future[None]):
    """Done when an entry is on the disk. Awaiting it calls `hurry`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, hurry: Callable[[], None]) -> None:
        super().__init__(loop=loop)
        self._hurry = hurry

    def __await__(self) -> Generator[Any]:
        self._hurry()
        return super().__await__()

    def add_done_callback(
        self, callback: Callable[[Self], object], /, *, context: Context | None = None
    ) -> None:
        self._hurry()
        super().add_done_callback(callback, context=context)


class Journal:
    """The journal, open for writing by this process alone.

    `open_calls`: the entries of each call that an earlier engine began and did not end, by call id.
    `last_known`: the last instant (Asterisk's clock) in any entry of an earlier engine.
    `ended`: calls that ended recently, and when.
    """

    def __init__(self, thread: JournalThread, recovered: Recovered, failed: asyncio.Future[None]) -> None:
        self.open_calls: dict[str, list[Entry]] = {
            call: open_call.entries for call, open_call in recovered.open_calls.items() if open_call.has_begun
        }
        self.last_known: datetime | None = recovered.last_known
        self.ended = recovered.ended
        self._wall = recovered.wall
        self._loop = asyncio.get_running_loop()
        self._thread = thread
        self._failed = failed
        self._closed = False
        self._lazy: list[PendingEntry] = []
        self._is_due = False  # a timer will give them to the thread

    @classmethod
    async def open(cls, directory: Path, node: str, segment_bytes: int = SEGMENT_BYTES) -> "Journal":
        """Lock the folder (created if missing), read its open calls, begin a new epoch.

        If the folder cannot be read or written, the journal is degraded, and opened as soon as possible; open
        calls in a folder that cannot even be read wait for the next engine. `node`: plain ASCII, without
        quotes. Raises JournalInUse.
        """
        loop = asyncio.get_running_loop()
        failed: asyncio.Future[None] = loop.create_future()
        place = Place(directory, node, segment_bytes)
        thread = JournalThread(
            lambda: JournalFolder.open(place), partial(_notify_durable, loop), partial(_fail, loop, failed)
        )
        recovered = await asyncio.to_thread(thread.begin)
        journal = cls(thread, recovered, failed)
        thread.start()
        journal._end_unreadable(recovered)
        return journal

    async def died(self) -> None:
        """Raise JournalFailed when the writing thread has died; otherwise wait until cancelled."""
        await asyncio.shield(self._failed)

    def append(self, entry: Entry) -> asyncio.Future[None]:
        """Append an entry; the future is done when it is on the disk.

        Entries become durable in order, so awaiting one awaits all before it. An entry that is not awaited is
        written after 20 ms, a HandedOver at once. While `degraded`, the future is done at once. To correct a
        call that has ended, append all of its entries again: the later record wins. Raises ValueError if the
        instant has no time zone, JournalClosed.
        """
        if self._closed:
            raise JournalClosed(kind_of(entry))
        payload = encode(entry)
        durable = Durable(self._loop, self.hurry)
        if self.degraded:
            durable.set_result(None)
        self._wall = max(time.time_ns(), self._wall + 1)
        stamp = Stamp(time.clock_gettime_ns(time.CLOCK_BOOTTIME), self._wall)
        if not self._is_due:
            self._is_due = True
            self._loop.call_later(LAZY_SECONDS, self._hurry_at_last)
        self._lazy.append(PendingEntry(entry, payload, stamp, time.monotonic(), durable))
        if isinstance(entry, HandedOver):  # the call lives on without us: a successor must find the entry
            self._loop.call_soon(self.hurry)
        return durable

    @property
    def degraded(self) -> bool:
        """Whether no entry can be made durable: then there is no recording and no voicemail; calls go on."""
        return self._thread.degraded

    @property
    def lag(self) -> float:
        """Age in seconds of the oldest entry that is not durable; 0 if there is none."""
        oldest = self._thread.oldest
        return max(time.monotonic() - oldest, 0.0) if oldest is not None else 0.0

    @property
    def reserve(self) -> int:
        """Bytes that the journal can still write when the disk is full."""
        return self._thread.reserve

    async def close(self) -> None:
        """Write all entries, and unlock the folder. Calls may be open: a successor finds them."""
        if self._closed:
            return
        self._closed = True
        self.hurry()
        self._thread.finish()
        await asyncio.to_thread(self._thread.join)
        self._thread.release()

    def _end_unreadable(self, recovered: Recovered) -> None:
        """End the calls whose beginning is unreadable: the worker moves them to the dead letters."""
        at = recovered.last_known or datetime.now(UTC)
        for call, open_call in recovered.open_calls.items():
            if not open_call.has_begun:
                self.append(CallEnded(call, at, Result.LOST, "lost"))

    def _hurry_at_last(self) -> None:
        self._is_due = False
        self.hurry()

    def hurry(self) -> None:
        """Give the waiting entries to the thread, which writes them at once."""
        if self._lazy:
            lazy, self._lazy = self._lazy, []
            self._thread.put(lazy)


def _notify_durable(loop: asyncio.AbstractEventLoop, group: Sequence[PendingEntry]) -> None:
    """Called in the journal's thread."""
    with suppress(RuntimeError):  # the loop is closed: nothing waits any more
        loop.call_soon_threadsafe(mark_durable, tuple(pending.durable for pending in group))


def mark_durable(waiting: Sequence[asyncio.Future[None]]) -> None:
    for durable in waiting:
        if not durable.done():  # the waiter may have been cancelled
            durable.set_result(None)


def _fail(loop: asyncio.AbstractEventLoop, failed: asyncio.Future[None], error: BaseException) -> None:
    """Called in the journal's thread, at its end."""
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(_set_failed, failed, error)


def _set_failed(failed: asyncio.Future[None], error: BaseException) -> None:
    if not failed.done():
        failure = JournalFailed(repr(error))
        failure.__cause__ = error
        failed.set_exception(failure)
        failed.exception()  # retrieved: asyncio does not report it if there is no waiter
