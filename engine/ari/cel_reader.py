"""The CEL reader gives each event of Asterisk's CEL to the engine, milliseconds after Asterisk wrote it.

A thread of its own reads the files; the event loop does not. After a crash an event may come twice; none is
lost.
"""

import asyncio
import math
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

import structlog

from engine.ari.cel_file import CelFiles
from engine.ari.cel_marks import Marks, PositionDamaged
from engine.ari.cel_watch import FolderWatch
from journal.cel import CelEvent

# Between two looks, so that the lines of many calls are taken together: each look changes threads several
# times (docs/decisions/013-cel-is-the-ledger.md).
REST_SECONDS = 0.03
LOOK_EVERYWHERE_SECONDS = 1.0
SAVE_SECONDS = 1.0
RETRY_SECONDS = 0.5
LAST_TAKE_SECONDS = 2.0  # at the end, to finish taking events
MAX_BYTES = 16 << 20
KEEP_SECONDS = 72 * 3600.0
EXPECTED = (OSError, PositionDamaged)  # no need for a traceback
Take = Callable[[Sequence[CelEvent]], Awaitable[None]]
log = structlog.get_logger()


class CelReader:
    """`cel`: the file that cel_custom.conf names. `kept`: the file with the position.

    `take` gets the events in order, at most some hundreds at once, and returns when they are durable. If it
    raises, it gets the same events again after RETRY_SECONDS, as long as it raises.
    `first`: this installation has never run, so skip the present content of the file if there is no `kept`.
    A rotated file is removed `keep_seconds` after its last line, once all of it has been taken.
    """

    def __init__(
        self,
        cel: Path,
        kept: Path,
        take: Take,
        *,
        first: bool = False,
        max_bytes: int = MAX_BYTES,
        keep_seconds: float = KEEP_SECONDS,
    ) -> None:
        self._marks = Marks(kept)
        self._files = CelFiles(cel, self._marks, max_bytes, keep_seconds)
        self._take = take
        self._first = first
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiters: list[asyncio.Future[None]] = []
        self._delivery: Future[None] | None = None
        self._stop = threading.Event()
        self._watch = FolderWatch(cel.parent)
        self._looked = self._saved = -math.inf
        self._failing: set[str] = set()
        self._saver = ThreadPoolExecutor(1, "cel-position")
        self._saving: Future[None] | None = None

    @property
    def skipped(self) -> int:
        """Number of lines and files that could not be read since the start."""
        return self._files.skipped

    @property
    def headroom(self) -> int:
        """Bytes that Asterisk can still append to the file when the disk is full."""
        return self._files.headroom

    async def run(self) -> None:
        """Read until cancelled; call it once. A problem with the file is logged once, and reading is retried.

        Raises the error that ended the reading thread.
        """
        self._loop = asyncio.get_running_loop()
        ended = self._loop.create_future()
        threading.Thread(target=self._work, args=(ended,), name="cel-reader", daemon=True).start()
        try:
            await asyncio.shield(ended)
        finally:
            self._stop.set()
            self._watch.wake()
            await asyncio.wait({ended}, timeout=LAST_TAKE_SECONDS)
            if self._delivery is not None:
                self._delivery.cancel()
                await asyncio.wait({ended}, timeout=LAST_TAKE_SECONDS)
            for waiter in self._waiters:
                waiter.cancel()

    async def drained(self) -> None:
        """Return once every whole line that is in the files now has been taken.

        Also returns when the files cannot be read, after the error was logged. Waits for run() to begin.
        """
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        self._watch.wake()
        await waiter

    def _work(self, ended: asyncio.Future[None]) -> None:
        """The life of the thread. It does not end silently: run() raises the error that ends it."""
        try:
            self._read_until_stopped()
        except BaseException as error:  # noqa: BLE001 - run() raises it
            self._call(partial(_fail, ended, error))
        else:
            self._call(partial(_finish, ended))

    def _read_until_stopped(self) -> None:
        """Read new events, deliver them, store the position."""
        self._attempt("cel_position_unreadable", self._begin)
        while not self._stop.is_set():
            waiters = tuple(self._waiters)
            succeeded = self._attempt("cel_unreadable", partial(self._look, everywhere=bool(waiters)))
            self._wake(waiters)
            self._tidy()
            self._watch.pause(REST_SECONDS if succeeded else RETRY_SECONDS)
            if succeeded:
                self._watch.wait(LOOK_EVERYWHERE_SECONDS)
        self._saver.shutdown()
        self._save(self._marks.text())
        self._files.close()
        self._watch.close()

    def _save_beside(self) -> None:
        self._saving = self._saver.submit(self._save, self._marks.text())

    def _save(self, text: str) -> None:
        self._attempt("cel_position_not_saved", partial(self._marks.save, text))

    def _begin(self) -> None:
        """Load the position. Without it, begin at the beginning; in a new installation, at the end."""
        if not self._marks.load() and self._first:
            for batch in self._files.unread(everywhere=True):
                self._files.take(batch)

    def _look(self, everywhere: bool) -> None:
        """Deliver new events. Raise OSError, or _Stopped."""
        if time.monotonic() - self._looked >= LOOK_EVERYWHERE_SECONDS:
            everywhere, self._looked = True, time.monotonic()
        for batch in self._files.unread(everywhere):
            while batch.events and not self._deliver(batch.events):
                self._stop.wait(RETRY_SECONDS)
            self._files.take(batch)
            self._tidy()

    def _tidy(self) -> None:
        """Once a second rotate, and store the position: in another thread, because an fsync may take long."""
        if time.monotonic() - self._saved < SAVE_SECONDS:
            return
        self._saved = time.monotonic()
        self._attempt("cel_not_rotated", self._files.tidy)
        if self._saving is None or self._saving.done():
            self._attempt("cel_position_not_saved", self._save_beside)

    def _deliver(self, events: Sequence[CelEvent]) -> bool:
        """Wait until `take` has returned; return False if it raised. Raise _Stopped."""
        if self._stop.is_set() or self._loop is None or self._loop.is_closed():
            raise _Stopped
        self._delivery = asyncio.run_coroutine_threadsafe(self._awaited(events), self._loop)
        taken = self._attempt("cel_not_taken", self._delivery.result)
        self._delivery = None
        return taken

    async def _awaited(self, events: Sequence[CelEvent]) -> None:
        await self._take(events)

    def _wake(self, waiters: Sequence[asyncio.Future[None]]) -> None:
        """End drained() of these waiters, unless run() ends."""
        if not self._stop.is_set():
            for future in waiters:
                self._waiters.remove(future)
                self._call(partial(_finish, future))

    def _call(self, work: Callable[[], object]) -> None:
        """Run this in the event loop, as long as it is open."""
        with suppress(RuntimeError):
            if self._loop is not None:
                self._loop.call_soon_threadsafe(work)

    def _attempt(self, failure: str, work: Callable[[], object]) -> bool:
        """Return whether it succeeded; log the first of several failures. Nothing ends this thread."""
        try:
            work()
        except (_Stopped, CancelledError):
            return False
        except Exception as error:
            if failure not in self._failing:
                self._failing.add(failure)
                with suppress(Exception):
                    log.error(failure, error=repr(error), exc_info=not isinstance(error, EXPECTED))  # noqa: TRY400
            return False
        self._failing.discard(failure)
        return True


class _Stopped(Exception):
    """The reader ends; events that were not taken stay in the files."""


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _fail(future: asyncio.Future[None], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
