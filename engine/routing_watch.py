"""Watching the routing folder, even if it is replaced as a whole, by a rename or by another symbolic link.

inotify watches the folder that a path led to, not the path. When the path leads to another folder, inotify
reports nothing; so the folder that the path leads to is compared once a second. A name that is given
anew is reported by a watch on the folder in which it is: a version that is applied is noticed at once.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from pathlib import Path

import structlog
import watchfiles
from watchfiles.main import FileChange

from config.folder import PARTS as FOLDERS
from process.inotify import names_given, names_in

log = structlog.get_logger()

# Editors and copies write a file in several steps: the folder is read once nothing has changed for so long.
QUIET_MS = 300
LOOK_MS = 1_000
AGAIN_SECONDS = 1.0  # between two attempts to watch the folder in which the path is
POLLS = 60  # comparisons without inotify, until inotify is tried again

PARTS = ("", *FOLDERS)

# (device, inode, change time in ns) of the folder and of its parts; None for a missing part.
type Stamps = tuple[tuple[int, int, int] | None, ...]


async def follow(folder: Path, look: Callable[[bool], Awaitable[None]]) -> None:
    """Await `look` once a second, at each change, and as soon as the path leads elsewhere.

    Its argument: whether the folder must be read again. One at a time, until cancelled.
    """
    looking = asyncio.Lock()

    async def look_at_each(looks: AsyncGenerator[bool]) -> None:
        async with aclosing(looks):
            async for changed in looks:
                async with looking:
                    await look(changed)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(look_at_each(passes(folder)))
        tasks.create_task(look_at_each(switches(folder)))


async def passes(folder: Path) -> AsyncGenerator[bool]:
    """Yield once a second, and at each change: whether the folder must be read again. True at first."""
    missing = False
    while True:
        if await asyncio.to_thread(folder.is_dir):
            missing = False
            async with aclosing(_watched(folder)) as changes:
                async for changed in changes:
                    yield changed
        else:
            if not missing:
                log.error(
                    "routing_folder_missing",
                    folder=str(folder),
                    hint="restore it; the routing in force stays",
                )
            missing = True
            yield False
            await asyncio.sleep(LOOK_MS / 1000)


async def switches(path: Path) -> AsyncGenerator[bool]:
    """Yield False as soon as the path is given to another link or folder. A hint: `passes` notices too."""
    while True:
        with suppress(OSError), names_given(path.parent) as notify:
            is_lost = False
            while not is_lost:
                await _readable(notify)
                given, is_lost = names_in(notify)
                if path.name in given:
                    yield False
        await asyncio.sleep(AGAIN_SECONDS)


async def _readable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(descriptor, readable.set)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(descriptor)


async def _watched(folder: Path) -> AsyncGenerator[bool]:
    """Like `passes`, until the folder is another one, or has changes that inotify did not report."""
    before: Stamps | None = None
    folders = await asyncio.to_thread(_folders, folder)
    # Not recursive: watchfiles would look for the folders, and hold up the loop for 25 ms with 10,000 files.
    changes = watchfiles.awatch(
        *folders, recursive=False, debounce=QUIET_MS, step=50, rust_timeout=LOOK_MS, yield_on_timeout=True
    )
    try:
        async with aclosing(changes):
            async for changed in changes:
                now = await asyncio.to_thread(_stamps, folder)
                others = await asyncio.to_thread(_has_others, folder, folders, changed, first=before is None)
                if others or (before is not None and _is_replaced(folder, changed, before, now)):
                    yield False  # the reader sees a link that was switched before the new watch begins
                    return
                # True at first too: changes before the watch began are not reported.
                yield bool(changed) or before is None
                before = now
    except FileNotFoundError:  # it was removed just now
        return
    except OSError as error:
        log.warning(
            "routing_folder_not_watched",
            why=str(error),
            hint="raise fs.inotify.max_user_watches; SIGHUP reloads",
        )
        async with aclosing(_polled(folder)) as polls:
            async for is_changed in polls:
                yield is_changed


async def _polled(folder: Path) -> AsyncGenerator[bool]:
    """Like `_watched`, for a minute, by change times only: a change within a file is not detected."""
    before: Stamps | None = None
    for _ in range(POLLS):
        now = await asyncio.to_thread(_stamps, folder)
        yield now != before
        before = now
        await asyncio.sleep(LOOK_MS / 1000)


def _folders(folder: Path) -> list[str]:
    """The folder, and all folders in it whose files count."""
    found = []
    for path, names, _ in os.walk(folder):
        names[:] = [name for name in names if not name.startswith(".")]
        found.append(path)
    return sorted(found)


def _has_others(folder: Path, watched: list[str], changed: set[FileChange], *, first: bool) -> bool:
    """Whether there may be a folder that is not watched. `first`: it may have no event, being older."""
    if first and _folders(folder) != watched:
        return True
    return any(Path(path).is_dir() for _, path in changed)


def _is_replaced(folder: Path, changed: set[FileChange], before: Stamps, now: Stamps) -> bool:
    """Whether the watched folder may have been replaced. Its inode is no proof: inodes are reused."""
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
