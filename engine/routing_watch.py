"""Watching the routing folder: also when it is replaced as a whole, by a rename or by another symbolic link.

inotify watches the folder that a path led to, not the path. Once the path leads to another one, it says
nothing any more; so what the path leads to is compared every second.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

import structlog
import watchfiles
from watchfiles.main import FileChange

from config.folder import PARTS as FOLDERS

log = structlog.get_logger()

# Editors and copies write a file in several steps: the folder is read when it has been quiet for so long.
QUIET_MS = 300
LOOK_MS = 1000
POLLS = 60  # looks without a watch, until one is tried again

PARTS = ("", *FOLDERS)

# (device, inode, change time in ns) of the folder and of its parts; None where a part is missing.
type Stamps = tuple[tuple[int, int, int] | None, ...]


async def passes(folder: Path) -> AsyncGenerator[bool]:
    """Once a second, and when the folder changes: whether it is to be read again. It is at the first pass."""
    missing = False
    while True:
        if await asyncio.to_thread(folder.is_dir):
            missing = False
            async with aclosing(_watched(folder)) as looks:
                async for changed in looks:
                    yield changed
        else:
            if not missing:
                log.error(
                    "routing_folder_missing",
                    folder=str(folder),
                    hint="put it back; nothing changes meanwhile",
                )
            missing = True
            yield False
            await asyncio.sleep(LOOK_MS / 1000)


async def _watched(folder: Path) -> AsyncGenerator[bool]:
    """As `passes`, until there is another folder, or changes that the watch has not seen."""
    before: Stamps | None = None
    changes = watchfiles.awatch(
        folder, debounce=QUIET_MS, step=50, rust_timeout=LOOK_MS, yield_on_timeout=True
    )
    try:
        async with aclosing(changes):
            async for changed in changes:
                now = await asyncio.to_thread(_stamps, folder)
                if before is not None and _deaf(folder, changed, before, now):
                    return
                # At the first pass too: what was changed before the watch began is known to nobody.
                yield bool(changed) or before is None
                before = now
    except FileNotFoundError:  # it has just been removed
        return
    except OSError as wrong:
        log.warning(
            "routing_folder_not_watched",
            why=str(wrong),
            hint="raise fs.inotify.max_user_watches; SIGHUP reloads",
        )
        async with aclosing(_polled(folder)) as looks:
            async for stamped in looks:
                yield stamped


async def _polled(folder: Path) -> AsyncGenerator[bool]:
    """As `_watched`, by change times alone, which a change within a file does not touch; for a minute."""
    before: Stamps | None = None
    for _ in range(POLLS):
        now = await asyncio.to_thread(_stamps, folder)
        yield now != before
        before = now
        await asyncio.sleep(LOOK_MS / 1000)


def _deaf(folder: Path, changed: set[FileChange], before: Stamps, now: Stamps) -> bool:
    """Whether the watched folder may have been replaced. An inode does not tell: it is used again."""
    if now != before and not changed:
        return True
    replaced = [stamp and stamp[:2] for stamp in now] != [stamp and stamp[:2] for stamp in before]
    return replaced or any(Path(path) == folder / part for _, path in changed for part in PARTS)


def _stamps(folder: Path) -> Stamps:
    return tuple(_stamp(folder / part) for part in PARTS)


def _stamp(folder: Path) -> tuple[int, int, int] | None:
    try:
        stat = folder.stat()
    except OSError:
        return None
    return stat.st_dev, stat.st_ino, stat.st_ctime_ns
