"""Names that are given in a folder, by inotify: a hint at once, for watches that also look by themselves."""

import ctypes
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

IN_MOVED_TO = 0x80
IN_CREATE = 0x100
IN_DELETE_SELF = 0x400
IN_MOVE_SELF = 0x800
IN_IGNORED = 0x8000
IN_ONLYDIR = 0x1000000
LOST = IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED
EVENT = struct.Struct("iIII")  # watch, what happened, cookie, bytes of the name
EVENT_BYTES = 1 << 16
_libc = ctypes.CDLL(None, use_errno=True)


@contextmanager
def names_given(folder: Path) -> Iterator[int]:
    """A descriptor that is readable when a name was made in this folder or moved there. Raises OSError."""
    notify = _checked(_libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK))
    try:
        mask = IN_MOVED_TO | IN_CREATE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR
        _checked(_libc.inotify_add_watch(notify, os.fsencode(folder), mask))
        yield notify
    finally:
        os.close(notify)


def names_in(notify: int) -> tuple[set[str], bool]:
    """Return the names that were given since, and whether the folder itself was removed or renamed."""
    try:
        data = os.read(notify, EVENT_BYTES)
    except BlockingIOError:
        return set(), False
    given, lost, place = set(), False, 0
    while place < len(data):
        _, what, _, length = EVENT.unpack_from(data, place)
        place += EVENT.size + length
        given.add(os.fsdecode(data[place - length : place].rstrip(b"\0")))
        lost = lost or bool(what & LOST)
    return given, lost


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
