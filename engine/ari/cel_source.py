"""The bytes of one CEL file, plain or gzipped, by their offset in what Asterisk wrote."""

import os
import zlib
from pathlib import Path
from typing import Protocol

BLOCK = 1 << 16
GZIP = 31  # window bits of zlib that mean a gzip header


class Source(Protocol):
    """An open file. `read` returns what lies at `offset`, at most `size` bytes, fewer only at the end.

    `read_on` does the same, but returns None if the file was cut or written anew: `before` is not there now.
    """

    def read(self, offset: int, size: int) -> bytes: ...
    def read_on(self, before: bytes, offset: int, size: int) -> bytes | None: ...
    def close(self) -> None: ...


def open_source(path: Path) -> Source:
    """Open a file; its name tells whether it is gzipped. Raise OSError."""
    return GzipSource(path) if path.suffix == ".gz" else PlainSource(path)


class PlainSource:
    """An uncompressed file. It stays readable when it is renamed or removed."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    @property
    def inode(self) -> int:
        return os.fstat(self._fd).st_ino

    def read(self, offset: int, size: int) -> bytes:
        return os.pread(self._fd, size, offset)

    def read_on(self, before: bytes, offset: int, size: int) -> bytes | None:
        data = os.pread(self._fd, len(before) + size, offset - len(before))  # at once: it may be cut any time
        return data[len(before) :] if data.startswith(before) else None

    def close(self) -> None:
        os.close(self._fd)


class GzipSource:
    """A gzipped file, of one member or several. It ends where it is cut or damaged: `damage` says why.

    Reading forward is linear, and needs memory for two blocks. Reading backward begins anew.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self.damage = ""
        self._begin()

    def _begin(self) -> None:
        self._file.seek(0)
        self._inflate = zlib.decompressobj(GZIP)
        self._packed = b""
        self._buffer = bytearray()
        self._start = 0  # offset of the buffer

    def read(self, offset: int, size: int) -> bytes:
        if offset < self._start:
            self._begin()
        self._drop(offset)
        while self._start + len(self._buffer) < offset + size and (some := self._some()):
            self._buffer += some
            self._drop(offset)
        return bytes(self._buffer[:size]) if self._start == offset else b""

    def _drop(self, offset: int) -> None:
        """Let go of what lies before `offset`."""
        count = min(offset - self._start, len(self._buffer))
        del self._buffer[:count]
        self._start += count

    def read_on(self, before: bytes, offset: int, size: int) -> bytes | None:
        return self.read(offset, size)

    def _some(self) -> bytes:
        """The next bytes, at most a block; empty at the end."""
        while True:
            packed = self._packed or self._file.read(BLOCK)
            if self._inflate.eof and packed:
                self._inflate = zlib.decompressobj(GZIP)
            try:
                data = self._inflate.decompress(packed, BLOCK)
            except zlib.error as error:
                self.damage = str(error)
                return b""
            self._packed = self._inflate.unused_data if self._inflate.eof else self._inflate.unconsumed_tail
            if data or not packed:
                return data

    def close(self) -> None:
        self._file.close()
