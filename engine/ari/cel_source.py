"""The bytes of one CEL file, plain or gzipped, by their offset in what Asterisk wrote."""

import os
import zlib
from pathlib import Path
from typing import Protocol

BLOCK = 1 << 16
GZIP = 31  # window bits of zlib that mean a gzip header


class Source(Protocol):
    """An open file. `read` returns the bytes at `offset`, at most `size`, fewer only at the end.

    `read_on` does the same, but returns None if the file was cut or rewritten: `before` does not precede
    them.
    """

    def read(self, offset: int, size: int) -> bytes: ...
    def read_on(self, before: bytes, offset: int, size: int) -> bytes | None: ...
    def close(self) -> None: ...


def open_source(path: Path) -> Source:
    """Open a file, gzipped if its name says so. Raise OSError."""
    return GzipSource(path) if path.suffix == ".gz" else PlainSource(path)


class PlainSource:
    """An uncompressed file. It stays readable after it is renamed or removed."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    @property
    def inode(self) -> int:
        return os.fstat(self._fd).st_ino

    def read(self, offset: int, size: int) -> bytes:
        return os.pread(self._fd, size, offset)

    def read_on(self, before: bytes, offset: int, size: int) -> bytes | None:
        data = os.pread(self._fd, len(before) + size, offset - len(before))  # one read: it may be cut
        return data[len(before) :] if data.startswith(before) else None

    def close(self) -> None:
        os.close(self._fd)


class GzipSource:
    """A gzipped file, of one member or several. It ends where it is cut or damaged: `damage` is the reason.

    Reading forward is linear, and needs memory for two blocks. Reading backward starts again at the
    beginning.
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
        while self._start + len(self._buffer) < offset + size and (block := self._next_block()):
            self._buffer += block
            self._drop(offset)
        return bytes(self._buffer[:size]) if self._start == offset else b""

    def _drop(self, offset: int) -> None:
        """Drop the bytes before `offset`."""
        count = min(offset - self._start, len(self._buffer))
        del self._buffer[:count]
        self._start += count

    def read_on(self, before: bytes, offset: int, size: int) -> bytes | None:
        return self.read(offset, size)

    def _next_block(self) -> bytes:
        """Return the next bytes, at most a block; empty at the end."""
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
