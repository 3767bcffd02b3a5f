"""The next segment, allocated while the disk has room: when it is full, the journal continues in it."""

import errno
import os
from contextlib import suppress
from pathlib import Path

from journal.fault import point

NAME = "next"  # not the name of a segment, so that no reader sees it
LEAST_BYTES = 2**16
BLOCK = 512  # the unit of st_blocks
FULL = (errno.ENOSPC, errno.EDQUOT)


class Reserve:
    """A file of `size` zero bytes in the journal's folder. `allocated`: its size; 0 while it is missing."""

    def __init__(self, directory: Path, size: int) -> None:
        self.allocated = 0
        self._place = directory / NAME
        self._size = size

    def find(self) -> None:
        """Take over the file of an earlier engine, if all of it is allocated."""
        with suppress(OSError):
            stat = self._place.stat()
            if stat.st_size >= self._size and stat.st_blocks * BLOCK >= self._size:
                self.allocated = self._size

    def fill(self) -> None:
        """Allocate it. Raises OSError, and then removes what was allocated."""
        try:
            allocate(self._place, self._size)
        except OSError:
            with suppress(OSError):
                self._place.unlink()
            raise
        self.allocated = self._size

    def use(self, place: Path, least: int) -> bool:
        """Move it to `place`; return False if it is missing, or smaller than `least`. Raises OSError."""
        if self.allocated < least:
            return False
        self._place.rename(place)
        self.allocated = 0
        return True


def allocate(place: Path, size: int) -> None:
    """Allocate so many bytes to this file, created if missing. Raises OSError.

    Bytes that are allocated already stay; holes, which a copy of the folder may have, are filled.
    """
    point("journal.before_allocation")
    fd = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.posix_fallocate(fd, 0, size)
    finally:
        os.close(fd)


def allocate_most(place: Path, least: int, most: int) -> None:
    """Like allocate(); on a nearly full disk half of it, a quarter, and so on down to `least`."""
    size = most
    while True:
        try:
            allocate(place, size)
        except OSError as error:
            if error.errno not in FULL or size // 2 < max(least, LEAST_BYTES):
                raise
            size //= 2
        else:
            return
