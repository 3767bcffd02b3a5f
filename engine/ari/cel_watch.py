"""Waiting, in a thread, until a file of a folder has been written: by inotify, otherwise by polling."""

import ctypes
import os
import select
import struct
import threading
from contextlib import suppress
from pathlib import Path

POLL_SECONDS = 0.01  # without inotify
IN_CLOSE_WRITE = 0x08
IN_MOVED_TO = 0x80
EVENT_BYTES = 1 << 16
_libc = ctypes.CDLL(None, use_errno=True)


class FolderWatch:
    """One thread calls wait() and pause(), any thread wake(). A write during pause() ends the next wait()."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._woken = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._closing = threading.Lock()  # wake() must not write to a descriptor that has been reused
        self._notify = -1
        self._inode = 0

    @property
    def is_notified(self) -> bool:
        """Whether inotify reports writes."""
        return self._notify >= 0

    def wait(self, seconds: float) -> None:
        """Return when a file of the folder is written and closed, at wake(), or after `seconds`."""
        self._follow()
        self._poll(seconds if self.is_notified else min(seconds, POLL_SECONDS), self._woken, self._notify)
        for fd in (self._woken, self._notify):
            with suppress(OSError):
                os.read(fd, EVENT_BYTES)

    def pause(self, seconds: float) -> None:
        """Return after `seconds`, or at wake()."""
        self._poll(seconds, self._woken)

    def wake(self) -> None:
        """End wait() or pause()."""
        with self._closing, suppress(OSError):
            os.write(self._woken, struct.pack("Q", 1))

    def close(self) -> None:
        """Close the descriptors; wake() then does nothing."""
        self._end()
        with self._closing:
            os.close(self._woken)
            self._woken = -1

    def _poll(self, seconds: float, *fds: int) -> None:
        poll = select.poll()
        for fd in fds:
            if fd >= 0:
                poll.register(fd, select.POLLIN)
        poll.poll(seconds * 1000)

    def _follow(self) -> None:
        """Watch the folder that has this name now: it may have been replaced."""
        try:
            inode = os.stat(self._folder).st_ino
        except OSError:
            self._end()
            return
        if inode == self._inode and self.is_notified:
            return
        self._end()
        self._notify = _libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
        if self.is_notified:
            mask = IN_CLOSE_WRITE | IN_MOVED_TO
            if _libc.inotify_add_watch(self._notify, os.fsencode(self._folder), mask) < 0:
                self._end()
            else:
                self._inode = inode

    def _end(self) -> None:
        if self.is_notified:
            os.close(self._notify)
        self._notify = -1
