"""The bytes of one CEL file, plain or gzipped, by their offset in what Asterisk wrote."""

import os
import zlib
from pathlib import Path
from typing import Protocol, Self

BLOCK = 1 << 16
GZIP = 31  # window bits of zlib that mean a gzip header


class Source(Protocol):
    """An open file. `read` returns what lies at `offset`, at most `size` bytes, fewer only at the end."""

    def read(self, offset: int, size: int) -> bytes: ...
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

    def close(self) -> None:
        os.close(self._fd)


class GzipSource:
    """A gzipped file, of one member or several. It ends where it is cut or damaged: `damage` says why.

    Reading forward is linear and needs one block of memory; reading backward begins anew.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self.damage = ""
        self._begin()

    def _begin(self) -> Self:
        self._file.seek(0)
        self._inflate = zlib.decompressobj(GZIP)
        self._packed = b""
        self._at = 0
        return self

    def read(self, offset: int, size: int) -> bytes:
        if offset < self._at:
            self._begin()
        while self._at < offset:
            if not self._some(min(offset - self._at, BLOCK)):
                return b""
        data = bytearray()
        while len(data) < size and (some := self._some(size - len(data))):
            data += some
        return bytes(data)

    def _some(self, limit: int) -> bytes:
        """The next bytes, at most `limit`; empty at the end."""
        while True:
            packed = self._packed or self._file.read(BLOCK)
            if self._inflate.eof and packed:
                self._inflate = zlib.decompressobj(GZIP)
            try:
                data = self._inflate.decompress(packed, limit)
            except zlib.error as error:
                self.damage = str(error)
                return b""
            self._packed = self._inflate.unused_data if self._inflate.eof else self._inflate.unconsumed_tail
            if data or not packed:
                self._at += len(data)
                return data

    def close(self) -> None:
        self._file.close()
