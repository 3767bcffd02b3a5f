"""Headroom for CEL on a full disk: blocks behind the end of the file that are allocated to it already.

Asterisk appends to them as to any file, and no other file can get them
(docs/decisions/016-observers-never-stop-a-call.md). Asterisk opens the file for each record, so the engine
may replace it, by one exchange of names.
"""

import ctypes
import os
import time
from contextlib import suppress
from pathlib import Path

import structlog

from journal.reserve import BLOCK, FULL

HEADROOM_BYTES = 8 << 20  # 4,000 calls of 2 kB
LEAST_BYTES = HEADROOM_BYTES // 2  # below, more is allocated
KEEP_SIZE = 1  # FALLOC_FL_KEEP_SIZE
EXCHANGE = 2  # RENAME_EXCHANGE
AT_FDCWD = -100
RETRY_SECONDS = 10.0
log = structlog.get_logger()
_libc = ctypes.CDLL(None, use_errno=True)


class CelRoom:
    """Keeps headroom behind the end of `cel`. `bytes`: how much there was at the last check."""

    def __init__(self, cel: Path) -> None:
        self.bytes = 0
        self._cel = cel
        self._next_try = 0.0
        self._error = ""

    def ensure(self, rotated: Path) -> None:
        """Allocate headroom if there is too little; if necessary in a new file, renaming `cel` to `rotated`.

        Never raises: without headroom Asterisk still writes CEL, as long as the disk is not full.
        """
        try:
            if not self._cel.exists():
                create(self._cel)
            self.bytes = headroom(self._cel)
            if self.bytes < LEAST_BYTES and time.monotonic() >= self._next_try:
                self._allocate(rotated)
                self.bytes = headroom(self._cel)
        except FileNotFoundError:
            self.bytes = 0  # the folder is missing: engine.disk warns of that
        except OSError as error:
            self._fail(str(error))
        else:
            if self.bytes >= LEAST_BYTES:
                self._report("")
            elif not self._error:
                self._fail("this file system does not allocate blocks behind the end of a file")

    def rotate(self, rotated: Path) -> None:
        """Rename `cel` to `rotated`, except while a new file would have no room. Raises OSError."""
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
        except PermissionError:  # Asterisk, as another user, created the file
            replace(self._cel, rotated)

    def _fail(self, error: str) -> None:
        self._next_try = time.monotonic() + RETRY_SECONDS
        self._report(error)

    def _report(self, error: str) -> None:
        """Log once that headroom is missing, and once that it is there again."""
        before, self._error = self._error, error
        if error and not before:
            log.error("cel_headroom_missing", bytes_left=self.bytes, error=error)
        elif before and not error:
            log.warning("cel_headroom_allocated")


def headroom(cel: Path) -> int:
    """Return the number of bytes allocated behind the end of this file. Raises OSError."""
    stat = cel.stat()
    return max(stat.st_blocks * BLOCK - stat.st_size, 0)


def extend(cel: Path) -> None:
    """Allocate headroom behind the end of this file. Raises OSError."""
    fd = os.open(cel, os.O_WRONLY | os.O_CLOEXEC)
    try:
        _allocate(fd, os.fstat(fd).st_size)
    finally:
        os.close(fd)


def give_back(rotated: Path) -> None:
    """Free the headroom of a file to which Asterisk no longer appends. Raises OSError."""
    if headroom(rotated) >= BLOCK << 4:  # the last block of the file itself is not headroom
        stat = rotated.stat()
        os.truncate(rotated, stat.st_size)
        os.utime(rotated, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # it is removed by its age


def replace(cel: Path, rotated: Path) -> None:
    """Rename the CEL file to `rotated` and put a new one with headroom in its place, in one step.

    Raises OSError, and then nothing has changed: the disk is full, or the file system cannot do it.
    """
    _make(rotated, _mode(cel.parent))
    try:
        _check(_libc.renameat2(AT_FDCWD, os.fsencode(rotated), AT_FDCWD, os.fsencode(cel), EXCHANGE))
    except OSError:
        with suppress(OSError):
            rotated.unlink()
        raise


def create(cel: Path) -> None:
    """Create the first CEL file, with headroom, unless Asterisk just did. Raises OSError."""
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
    """Create an empty file with headroom and this mode, whatever the umask is; or none. Raises OSError."""
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
    """Return the mode with which Asterisk, as any user, can append to our file, and no one else can.

    Raises OSError.
    """
    stat = folder.stat()
    if not stat.st_mode & 0o007:
        return 0o666  # only Asterisk and the engine can enter the folder
    if stat.st_uid == os.geteuid() and not stat.st_mode & 0o022:
        return 0o640  # no other user can create a file there, so Asterisk is our user, or root
    raise PermissionError(f"{folder} is open to others: chmod 2770")


def _allocate(fd: int, offset: int) -> None:
    size = ctypes.c_longlong(HEADROOM_BYTES)
    _check(_libc.fallocate(fd, KEEP_SIZE, ctypes.c_longlong(offset), size))


def _check(result: int) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
