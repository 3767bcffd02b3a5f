"""Room for CEL on a full disk: blocks of the disk that belong to the file already, behind its end.

Asterisk appends to them as to any file, and no other process can take them
(docs/decisions/016-observers-never-stop-a-call.md). Asterisk opens the file for each record, so the engine
may put another one in its place, by one exchange of names.
"""

import ctypes
import os
import time
from contextlib import suppress
from pathlib import Path

import structlog

from journal.reserve import BLOCK, FULL

HEADROOM_BYTES = 8 << 20  # 4,000 calls of 2 kB
LEAST_BYTES = HEADROOM_BYTES // 2  # then it is allocated anew
KEEP_SIZE = 1  # FALLOC_FL_KEEP_SIZE
EXCHANGE = 2  # RENAME_EXCHANGE
AT_FDCWD = -100
RETRY_SECONDS = 10.0
log = structlog.get_logger()
_libc = ctypes.CDLL(None, use_errno=True)


class CelRoom:
    """Keeps headroom behind the end of `cel`. `bytes`: how much there was when it was last looked at."""

    def __init__(self, cel: Path) -> None:
        self.bytes = 0
        self._cel = cel
        self._next_try = 0.0
        self._trouble = ""

    def keep(self, rotated: Path) -> None:
        """Allocate headroom where it is too little; if need be in a new file, and `cel` is named `rotated`.

        Never raises: without headroom Asterisk writes CEL all the same, as long as there is room on the disk.
        """
        try:
            if not self._cel.exists():
                create(self._cel)
            self.bytes = headroom(self._cel)
            if self.bytes < LEAST_BYTES and time.monotonic() >= self._next_try:
                self._allocate(rotated)
                self.bytes = headroom(self._cel)
        except FileNotFoundError:
            self.bytes = 0  # there is no folder: engine.disk warns of that
        except OSError as error:
            self._fail(str(error))
        else:
            if self.bytes >= LEAST_BYTES:
                self._report("")
            elif not self._trouble:
                self._fail("this file system allocates nothing behind the end of a file")

    def rotate(self, rotated: Path) -> None:
        """Name `cel` `rotated`; not while the disk is full: a new file would have no room. Raises OSError."""
        if time.monotonic() < self._next_try:
            return
        try:
            replace(self._cel, rotated)
        except OSError as error:
            if error.errno in FULL:
                self._fail(str(error))
            else:
                self._cel.rename(rotated)

    def _allocate(self, rotated: Path) -> None:
        try:
            extend(self._cel)
        except PermissionError:  # a file that Asterisk, another user, has made
            replace(self._cel, rotated)

    def _fail(self, trouble: str) -> None:
        self._next_try = time.monotonic() + RETRY_SECONDS
        self._report(trouble)

    def _report(self, trouble: str) -> None:
        """Log that headroom is missing, or is there again: once."""
        before, self._trouble = self._trouble, trouble
        if trouble and not before:
            log.error("cel_headroom_missing", bytes_left=self.bytes, error=trouble)
        elif before and not trouble:
            log.warning("cel_headroom_allocated")


def headroom(cel: Path) -> int:
    """Bytes behind the end of this file that are allocated. Raises OSError."""
    there = cel.stat()
    return max(there.st_blocks * BLOCK - there.st_size, 0)


def extend(cel: Path) -> None:
    """Allocate headroom behind the end of this file. Raises OSError."""
    fd = os.open(cel, os.O_WRONLY | os.O_CLOEXEC)
    try:
        _allocate(fd, os.fstat(fd).st_size)
    finally:
        os.close(fd)


def give_back(rotated: Path) -> None:
    """Free the headroom of a file that nobody appends to any longer. Raises OSError."""
    if headroom(rotated) >= BLOCK << 4:  # the last block of the file itself is not headroom
        there = rotated.stat()
        os.truncate(rotated, there.st_size)
        os.utime(rotated, ns=(there.st_atime_ns, there.st_mtime_ns))  # by its age it is removed


def replace(cel: Path, rotated: Path) -> None:
    """Name the CEL file `rotated`, and have a new one with headroom in its place, at one instant.

    Raises OSError, and then nothing has changed: a full disk, or a file system that cannot do it.
    """
    _make(rotated, _mode(cel.parent))
    try:
        _check(_libc.renameat2(AT_FDCWD, os.fsencode(rotated), AT_FDCWD, os.fsencode(cel), EXCHANGE))
    except OSError:
        with suppress(OSError):
            rotated.unlink()
        raise


def create(cel: Path) -> None:
    """Make the first CEL file, with headroom, unless Asterisk does so at this moment. Raises OSError."""
    draft = cel.with_name(f".{cel.name}")
    with suppress(FileNotFoundError):
        draft.unlink()
    _make(draft, _mode(cel.parent))
    try:
        with suppress(FileExistsError):
            os.link(draft, cel)
    finally:
        draft.unlink()


def _make(place: Path, mode: int) -> None:
    """Make an empty file of that mode, whatever our umask says, with headroom; or none. Raises OSError."""
    fd = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        os.fchmod(fd, mode)
        _allocate(fd, 0)
    except OSError:
        with suppress(OSError):
            place.unlink()
        raise
    finally:
        os.close(fd)


def _mode(folder: Path) -> int:
    """So that Asterisk, as whatever user, can append to a file of ours, and nobody else. Raises OSError."""
    there = folder.stat()
    if not there.st_mode & 0o007:
        return 0o666  # the folder lets nobody in but Asterisk and us
    if there.st_uid == os.geteuid() and not there.st_mode & 0o022:
        return 0o640  # nobody else can make a file there, so Asterisk is us, or root
    raise PermissionError(f"{folder} is open to others: chmod 2770")


def _allocate(fd: int, offset: int) -> None:
    size = ctypes.c_longlong(HEADROOM_BYTES)
    _check(_libc.fallocate(fd, KEEP_SIZE, ctypes.c_longlong(offset), size))


def _check(result: int) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
