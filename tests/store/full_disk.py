"""Calls through a full disk: `python -m tests.store.full_disk FOLDER [injected]`, on a small file system.

The engine's journal and its CEL reader, a writer of CEL lines that does as Asterisk does, and a log of others
that takes every byte which becomes free. `injected`: where no file system can be mounted, every allocation
fails instead. Prints what there was as JSON.
"""

import asyncio
import errno
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from engine.ari import cel_room
from engine.ari.cel_reader import CelReader
from journal import folder as journal_folder
from journal.cel import CelEvent
from journal.follower import Follower
from journal.position import Position
from journal.writer import Journal
from tests.store.calls import answered_call, call_id

BEFORE, DURING, RESTARTED = 1_200, 1_000, 100  # calls
SEGMENT = 4 << 20
LINES = 7  # of CEL, for a connected call
AT_MOST = 30.0  # s


class Asterisk:
    """Opens, appends to and closes the CEL file for each line; a line that finds no room is lost."""

    def __init__(self, cel: Path) -> None:
        self.lost = 0
        self._cel = cel

    def write(self, call: int) -> None:
        for nth in range(LINES):
            text = f'{{""extra"":""n={call}.{nth} {"x" * 120}""}}'
            line = f'"LEG","1795819594.{nth:06}","dev-1.1","dev-1.0","PJSIP/t-1","connect","s","{text}"\n'
            try:
                with self._cel.open("ab", buffering=0) as file:
                    self.lost += file.write(line.encode()) < len(line)
            except OSError:
                self.lost += 1


class Others:
    """Fill the disk, and whatever becomes free on it."""

    def __init__(self, folder: Path, injected: bool) -> None:
        self._file = folder / "others.log"
        self._injected = injected
        self._full, self._stop = threading.Event(), threading.Event()

    @contextmanager
    def filling(self) -> Iterator[None]:
        real = os.posix_fallocate, cel_room._allocate
        if self._injected:
            os.posix_fallocate = cel_room._allocate = no_room  # type: ignore[assignment]
        thread = threading.Thread(target=self._fill, daemon=True)
        thread.start()
        self._full.wait(AT_MOST)
        yield
        self._stop.set()
        thread.join()
        self._file.unlink(missing_ok=True)
        os.posix_fallocate, cel_room._allocate = real

    def _fill(self) -> None:
        if self._injected:
            self._full.set()
            return
        with self._file.open("ab", buffering=0) as file:
            while not self._stop.is_set():
                try:
                    file.write(bytes(4096))
                except OSError:
                    self._full.set()
                    time.sleep(0.001)


def no_room(*_: int) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


async def place(journal: Journal, asterisk: Asterisk, calls: range) -> bool:
    """Calls, ten beside each other; whether the journal was degraded in one of them."""
    degraded = False
    for n in calls:
        asterisk.write(n)
        *entries, last = answered_call(n)
        for entry in entries:
            journal.append(entry)
        durable = journal.append(last)
        if n % 10 == 0 or n == calls[-1]:
            await durable
        degraded |= journal.degraded
    return degraded


def drained(folder: Path) -> set[str]:
    """The calls that a worker finds whole."""
    follower, calls = Follower(folder, Position()), set[str]()
    while follower.has_more:
        calls |= {call.call_id for call in follower.read() if len(call.entries) == 10}
    return calls


async def until(is_so: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + AT_MOST
    while not is_so():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.01)
    return True


async def main(folder: Path, injected: bool) -> dict[str, object]:
    journal_folder.RESERVE_RETRY_SECONDS = cel_room.RETRY_SECONDS = 0.1
    taken: list[str] = []

    async def take(events: Sequence[CelEvent]) -> None:
        taken.extend(event.extra["n"] for event in events)

    cel = folder / "cel" / "Master.csv"
    cel.parent.mkdir(mode=0o700)
    reader, asterisk = CelReader(cel, folder / "cel.json", take), Asterisk(cel)
    reading = asyncio.create_task(reader.run())
    journal = await Journal.open(folder / "journal", "here", SEGMENT)
    told: dict[str, object] = {}
    asterisk.write(-1)
    await until(lambda: reader.headroom > 0)
    degraded = await place(journal, asterisk, range(BEFORE))
    told["room_before"] = journal.reserve - SEGMENT
    with Others(folder, injected).filling():
        told["free"] = 0 if injected else os.statvfs(folder).f_bavail
        degraded |= await place(journal, asterisk, range(BEFORE, BEFORE + DURING))
        told["reserve_left"] = journal.reserve
        await journal.close()
        journal = await Journal.open(folder / "journal", "here", SEGMENT)
        told["degraded_at_start"] = journal.degraded
        calls = BEFORE + DURING + RESTARTED
        await place(journal, asterisk, range(BEFORE + DURING, calls))
    await until(lambda: len(taken) == LINES * (calls + 1))
    told["refilled"] = await until(lambda: journal.reserve >= SEGMENT)
    told["degraded"] = degraded
    await journal.close()
    reading.cancel()
    with suppress(asyncio.CancelledError):
        await reading
    told["cel_lost"] = asterisk.lost
    told["cel_missing"] = LINES * (calls + 1) - len(set(taken))
    told["calls_missing"] = len({call_id(n) for n in range(calls)} - drained(folder / "journal"))
    return told


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(Path(sys.argv[1]), injected="injected" in sys.argv))))
