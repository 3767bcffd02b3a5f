"""The journal as a call sees it: note what happened, and wait until that is durable before acting on it."""

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
from journal.book import Book, JournalInUse, Noted, Place
from journal.codec import encode, kind_of
from journal.entries import CallEnded, Entry, HandedOver
from journal.recovery import Recovered
from journal.scribe import Scribe
from journal.segment import Stamp

__all__ = ["SEGMENT_BYTES", "Journal", "JournalClosed", "JournalFailed", "JournalInUse"]

SEGMENT_BYTES = 64 * 2**20
# How long an entry nobody waits for may wait for company. Two of the eight of an answered call are waited
# for. Without it 5.1 syncs and 43 futexes a call at 40 calls/s, with it 2.4 and 18.
LAZY_SECONDS = 0.02


class JournalClosed(Exception):
    """Something was noted after the journal was closed: that fact would be lost."""


class JournalFailed(Exception):
    """The thread that writes the journal has died: nothing more becomes durable in this process."""


class Durable(asyncio.Future[None]):
    """Done when an entry is on the disk. To wait for it is to `hurry` it there."""

    def __init__(self, loop: asyncio.AbstractEventLoop, hurry: Callable[[], None]) -> None:
        super().__init__(loop=loop)
        self._hurry = hurry

    def __await__(self) -> Generator[Any]:
        self._hurry()
        return super().__await__()

    def add_done_callback(self, told: Callable[[Self], object], /, *, context: Context | None = None) -> None:
        self._hurry()
        super().add_done_callback(told, context=context)


class Journal:
    """The journal, open for writing by this process alone.

    `open_calls`: by call id, the entries of each call that an earlier engine began and did not end.
    `last_known`: the last instant (Asterisk's clock) that any entry of an earlier engine tells.
    `ended`: calls that have ended of late, and when.
    """

    def __init__(self, scribe: Scribe, recovered: Recovered, failed: asyncio.Future[None]) -> None:
        readable = {call: found for call, found in recovered.open_calls.items() if found.has_begun}
        self.open_calls: dict[str, list[Entry]] = {call: found.entries for call, found in readable.items()}
        self.last_known: datetime | None = recovered.last_known
        self.ended = recovered.ended
        self._wall = recovered.wall
        self._loop = asyncio.get_running_loop()
        self._scribe = scribe
        self._failed = failed
        self._closed = False
        self._lazy: list[Noted] = []

    @classmethod
    async def open(cls, directory: Path, node: str, segment_bytes: int = SEGMENT_BYTES) -> "Journal":
        """Take the folder (made when missing), read what is open in it, begin a new epoch.

        Where the folder cannot be read or written the journal is degraded, and opened as soon as it can be;
        the calls that are open in a folder that cannot even be read wait for the next engine. `node` is plain
        ASCII, without quotes. Raises JournalInUse.
        """
        loop = asyncio.get_running_loop()
        failed: asyncio.Future[None] = loop.create_future()
        place = Place(directory, node, segment_bytes)
        scribe = Scribe(lambda: Book.open(place), partial(_tell_durable, loop), partial(_fail, loop, failed))
        recovered = await asyncio.to_thread(scribe.begin)
        journal = cls(scribe, recovered, failed)
        scribe.start()
        journal._end_unreadable(recovered)
        return journal

    async def died(self) -> None:
        """Raise JournalFailed when the thread that writes has died; else wait until cancelled."""
        await asyncio.shield(self._failed)

    def note(self, entry: Entry) -> asyncio.Future[None]:
        """Append an entry; the future is done when it is on the disk.

        Entries become durable in the order noted, so whoever awaits one has awaited all before it. One that
        nobody awaits is written 20 ms later, a HandedOver at once; its future says nothing. While `degraded`,
        it is done at once. To correct a call that has ended, note all of its entries again: the later record
        wins. Raises ValueError when the instant has no time zone, JournalClosed.
        """
        if self._closed:
            raise JournalClosed(kind_of(entry))
        payload = encode(entry)
        durable = Durable(self._loop, self.hurry)
        if self.degraded:
            durable.set_result(None)
        self._wall = max(time.time_ns(), self._wall + 1)
        stamp = Stamp(time.clock_gettime_ns(time.CLOCK_BOOTTIME), self._wall)
        if not self._lazy:
            self._loop.call_later(LAZY_SECONDS, self.hurry)
        self._lazy.append(Noted(entry, payload, stamp, time.monotonic(), durable))
        if isinstance(entry, HandedOver):  # the call lives on without us: a successor must know of it
            self._loop.call_soon(self.hurry)
        return durable

    @property
    def degraded(self) -> bool:
        """Whether nothing can be made durable: no recording, no voicemail; routing goes on."""
        return self._scribe.degraded

    @property
    def lag(self) -> float:
        """Seconds that the oldest entry which is not durable has waited; 0 when there is none."""
        oldest = self._scribe.oldest
        return max(time.monotonic() - oldest, 0.0) if oldest is not None else 0.0

    @property
    def reserve(self) -> int:
        """Bytes that the journal can grow by when the disk is full."""
        return self._scribe.reserve

    async def close(self) -> None:
        """Write what was noted, and let go of the folder. Calls may still be open: a successor finds them."""
        if self._closed:
            return
        self._closed = True
        self.hurry()
        self._scribe.finish()
        await asyncio.to_thread(self._scribe.join)
        self._scribe.release()

    def _end_unreadable(self, recovered: Recovered) -> None:
        """End the calls whose beginning cannot be read: the worker keeps them for a person to look at."""
        at = recovered.last_known or datetime.now(UTC)
        for call, found in recovered.open_calls.items():
            if not found.has_begun:
                self.note(CallEnded(call, at, Result.LOST, "lost"))

    def hurry(self) -> None:
        """Hand what was noted to the scribe, who writes at once."""
        if self._lazy:
            lazy, self._lazy = self._lazy, []
            self._scribe.put(lazy)


def _tell_durable(loop: asyncio.AbstractEventLoop, group: Sequence[Noted]) -> None:
    """Called in the scribe's thread."""
    with suppress(RuntimeError):  # the loop is closed: nobody waits any more
        loop.call_soon_threadsafe(mark_durable, tuple(noted.durable for noted in group))


def mark_durable(waiting: Sequence[asyncio.Future[None]]) -> None:
    for durable in waiting:
        if not durable.done():  # who waited may have been cancelled
            durable.set_result(None)


def _fail(loop: asyncio.AbstractEventLoop, failed: asyncio.Future[None], error: BaseException) -> None:
    """Called in the scribe's thread, as the last that it does."""
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(_set_failed, failed, error)


def _set_failed(failed: asyncio.Future[None], error: BaseException) -> None:
    if not failed.done():
        failure = JournalFailed(repr(error))
        failure.__cause__ = error
        failed.set_exception(failure)
        failed.exception()  # looked at: without a waiter it is no error of its own
