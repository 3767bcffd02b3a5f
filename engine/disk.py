"""The folders that calls are written to: free space, and what is wrong with them.

Nothing of it keeps a caller from being answered, neither at the start nor later: it is logged, and reported
on /ready and in the metrics.
"""

import asyncio
import os
import shutil
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from engine.metrics import EngineMetrics

LOW_BYTES = 2 * 10**9
LOOK_SECONDS = 5.0
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder that calls are written to. `free_bytes`: of its file system; None if the folder is missing."""

    path: Path
    writable: bool
    free_bytes: int | None

    @property
    def trouble(self) -> str:
        """What is wrong with it, and the remedy; "" if all is well."""
        if self.free_bytes is None:
            return f"{self.path} is missing; create it, owned by the user that writes to it"
        if not self.writable:
            return f"{self.path} cannot be written; make the user of this process its owner"
        if self.free_bytes < LOW_BYTES:
            free, least = (f"{size / 1e9:.1f} GB" for size in (self.free_bytes, LOW_BYTES))
            return f"{self.path} has {free} free, less than {least}; make room or move it to another disk"
        return ""


class DiskWatch:
    """Watches folders, by their names in the metrics. `warnings`: what is wrong with them."""

    def __init__(self, folders: Mapping[str, Path], metrics: EngineMetrics) -> None:
        self._folders = folders
        self._metrics = metrics
        self._troubles = dict.fromkeys(folders, "")

    @property
    def warnings(self) -> list[str]:
        return [trouble for trouble in self._troubles.values() if trouble]

    async def run(self, every: float = LOOK_SECONDS) -> None:
        """Watch until cancelled. A disk that hangs is reported; it blocks only a thread of its own."""
        async with asyncio.TaskGroup() as group:
            for name, path in self._folders.items():
                group.create_task(self._watch(name, path, every))

    async def _watch(self, name: str, path: Path, every: float) -> None:
        while True:
            look = _look_in_thread(path)
            await asyncio.wait({look}, timeout=every)
            if not look.done():
                self._report(name, f"{path} does not answer; check the disk")
            folder = await look
            self._metrics.disk_free_bytes.labels(name).set(folder.free_bytes or 0)
            self._report(name, folder.trouble)
            await asyncio.sleep(every)

    def _report(self, name: str, trouble: str) -> None:
        before, self._troubles[name] = self._troubles[name], trouble
        if trouble and not before:
            log.error("disk_troubled", folder=name, why=trouble)
        elif before and not trouble:
            log.info("disk_recovered", folder=name)


def _look_in_thread(path: Path) -> asyncio.Future[Folder]:
    """Look in a thread of its own: those of a pool are shared, and joined at the end of the process."""
    loop = asyncio.get_running_loop()
    result: asyncio.Future[Folder] = loop.create_future()

    def finish(folder: Folder) -> None:
        if not result.done():
            result.set_result(folder)

    def look() -> None:
        folder = look_at(path)
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(finish, folder)

    threading.Thread(target=look, name="disk", daemon=True).start()
    return result


def look_at(path: Path) -> Folder:
    """Return the state of the folder; one that cannot be read counts as missing. Never raises."""
    try:
        free = shutil.disk_usage(path).free if path.is_dir() else None
    except OSError:
        free = None
    return Folder(path, free is not None and os.access(path, os.W_OK | os.X_OK), free)
