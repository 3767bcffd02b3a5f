"""Write log lines: a bounded queue and one thread.

Code that logs appends to the queue. It never waits and never gets an error, even if the disk is full, or the
pipe is closed or has no reader. When the queue is full, lines are dropped and counted.
"""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from threading import Event, RLock, Thread

MOST = 10_000  # lines in the queue, some 5 MB: three minutes of 50 calls/s
# The first line waits this long for others: each write costs a change of threads, which delays calls.
GATHER_SECONDS = 0.1
BATCH = 1_000  # lines
RETRY_SECONDS = 1.0
FLUSH_SECONDS = 1.0

type Write = Callable[[memoryview], int]


class LogWriter:
    """`write` is usually os.write() to the log: it may block, write only a part, or raise OSError.

    `prefix` is put before the writer's own lines, which are warnings.
    """

    def __init__(
        self, write: Write, most: int = MOST, retry_seconds: float = RETRY_SECONDS, prefix: str = ""
    ) -> None:
        self.dropped = 0  # lines since the start
        self._write = write
        self._most = most
        self._retry_seconds = retry_seconds
        self._prefix = prefix
        self._queue: SimpleQueue[str | Event] = SimpleQueue()
        self._counting = RLock()  # the garbage collector may log while it is held
        self._reported = 0
        Thread(target=self._run, name="log", daemon=True).start()

    def put(self, line: str) -> None:
        """Append a line; drop and count it when the queue is full. Never wait, never raise."""
        try:
            if self._queue.qsize() < self._most:
                self._queue.put(line)
                return
        except MemoryError:
            pass
        self._drop(1)

    def flush(self, seconds: float = FLUSH_SECONDS) -> bool:
        """Wait until all earlier lines are written, for at most `seconds`; return whether they are."""
        reached = Event()
        self._queue.put(reached)
        return reached.wait(seconds)

    def _drop(self, lines: int) -> None:
        with self._counting:
            self.dropped += lines

    def _run(self) -> None:
        while True:
            lines, flushed = self._gather()
            try:
                self._write_all("".join(f"{line}\n" for line in lines))
                self._report_dropped()
            except Exception:  # noqa: BLE001 - this thread must not end, and cannot report
                self._drop(len(lines))
            for reached in flushed:
                reached.set()

    def _gather(self) -> tuple[list[str], list[Event]]:
        """The next lines, and the events to set once they are written."""
        lines: list[str] = []
        flushed: list[Event] = []
        item: str | Event = self._queue.get()
        if isinstance(item, str) and self._queue.qsize() < BATCH:
            time.sleep(GATHER_SECONDS)
        try:
            while True:
                if isinstance(item, str):
                    lines.append(item)
                else:
                    flushed.append(item)
                if len(lines) >= BATCH:
                    break
                item = self._queue.get_nowait()
        except Empty:
            pass
        return lines, flushed

    def _write_all(self, text: str) -> None:
        """Write all of it, however long that takes: no line is cut."""
        left = memoryview(text.encode("utf-8", "backslashreplace"))
        while left:
            try:
                left = left[self._write(left) :]
            except BlockingIOError:
                time.sleep(GATHER_SECONDS)
            except OSError:
                time.sleep(self._retry_seconds)

    def _report_dropped(self) -> None:
        """Log how many lines are missing, once all earlier lines are written."""
        missing = self.dropped - self._reported
        if missing and self._queue.empty():
            self._reported += missing
            self._write_all(f"{self._prefix}{_line('log_lines_dropped', 'warning', count=missing)}\n")


def _line(event: str, level: str, **fields: object) -> str:
    return json.dumps({"event": event, "level": level, **fields, "at": datetime.now(UTC).isoformat()})
