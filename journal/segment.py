"""A segment: one preallocated file of the journal, and the format of the records in it.

    length u32 | crc u32 | epoch u64 | seq u64 | boottime ns u64 | wall ns u64 | JSON (ASCII), `length` bytes

Little endian. The CRC covers all other bytes. It is zlib's CRC-32, not CRC-32C: it detects a torn or flipped
record as reliably, and is in the standard library. A length of 0 marks the place where the writer is.

A segment is named `<epoch>-<n>.wal`. The epoch is the second in which its engine started, increased if
necessary beyond all earlier ones, so that epochs grow even in a journal that begins again on an empty disk.
Only on a full disk does the next engine continue the segment of its predecessor, with its epoch.
"""

import os
import struct
import zlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from journal.disk import sync_directory

HEADER = struct.Struct("<IIQQQQ")
CRC_AT = 4
SUFFIX = ".wal"
# No record has so many zero bytes in sequence: JSON contains none, and a header is shorter.
GAP = 2 * HEADER.size


class Stamp(NamedTuple):
    """When an entry was appended, ns: CLOCK_BOOTTIME, wall clock (Unix, made to grow)."""

    boottime: int
    wall: int


class Head(NamedTuple):
    """The header before the payload of a record."""

    length: int
    crc: int
    epoch: int
    seq: int
    boottime: int
    wall: int


def encode(epoch: int, seq: int, stamp: Stamp, payload: bytes) -> bytes:
    """Return one whole record."""
    head = bytearray(HEADER.pack(len(payload), 0, epoch, seq, *stamp))
    struct.pack_into("<I", head, CRC_AT, checksum(head, payload))
    return bytes(head) + payload


def checksum(head: bytes | bytearray, payload: bytes) -> int:
    return zlib.crc32(payload, zlib.crc32(head[CRC_AT + 4 :], zlib.crc32(head[:CRC_AT])))


def segment_name(epoch: int, n: int) -> str:
    return f"{epoch:010d}-{n:06d}{SUFFIX}"


def epoch_of(path: Path) -> int:
    """Return the epoch in a segment's name."""
    return int(path.name.partition("-")[0])


def number_of(path: Path) -> int:
    """Return the number in a segment's name: how many segments its engine had begun."""
    return int(path.stem.partition("-")[2])


def segments(directory: Path) -> list[Path]:
    """Return the journal's segments, oldest first."""
    return sorted(directory.glob(f"[0-9]*-[0-9]*{SUFFIX}"))


def used(path: Path) -> int:
    """Return the byte where the zeros of the preallocation begin; it takes about 26 reads."""
    with path.open("rb", buffering=0) as file:
        low, high = 0, os.fstat(file.fileno()).st_size
        while high - low > 1:
            middle = (low + high) // 2
            if any(os.pread(file.fileno(), GAP, middle)):
                low = middle
            else:
                high = middle
    return high


def cut_zeros(path: Path) -> None:
    """Free what a dead engine preallocated and did not write: a crash loop would fill the disk."""
    content = path.read_bytes()
    with suppress(OSError):
        os.truncate(path, len(content.rstrip(b"\0")))


class Segment:
    """The segment that is written. After an OSError, nothing since the last `sync` is durable for certain."""

    def __init__(self, name: str, fd: int, size: int) -> None:
        self.name = name
        self._fd = fd
        self._size = size
        self._end = 0

    @classmethod
    def create(cls, place: Path, first: bytes, allocate: Callable[[Path], object]) -> "Segment":
        """Create a segment that durably begins with the record `first`, or none at all. Raises OSError.

        `allocate` fills the file with zeros: so fdatasync has no new file length to write (p50 1.8 ms).
        Readers see only a whole segment.
        """
        draft = place.with_name(f"{place.name}.draft")
        try:
            allocate(draft)
            segment = cls._opened(place.name, draft)
            try:
                segment.append([first])
                os.fsync(segment._fd)
                draft.rename(place)
                sync_directory(place.parent)
            except OSError:
                segment.finish()
                raise
        except OSError:
            with suppress(OSError):
                draft.unlink()  # retries must not fill a full disk further
            raise
        return segment

    @classmethod
    def reopen(cls, place: Path, end: int) -> "Segment":
        """Open a segment of another process; its last whole record ends at `end`. Raises OSError."""
        segment = cls._opened(place.name, place)
        segment._end = max(used(place), end)  # after a torn record too
        return segment

    @classmethod
    def _opened(cls, name: str, draft: Path) -> "Segment":
        fd = os.open(draft, os.O_RDWR | os.O_CLOEXEC)
        return cls(name, fd, os.fstat(fd).st_size)

    @property
    def room(self) -> int:
        """Bytes that are allocated and free."""
        return max(self._size - self._end - HEADER.size, 0)

    def has_room(self, size: int) -> bool:
        """Whether `size` bytes fit; zeros of one header stay behind them, where a reader stops."""
        return size <= self.room

    def append(self, records: Iterable[bytes]) -> None:
        data = memoryview(b"".join(records))
        while data:
            written = os.pwrite(self._fd, data, self._end)
            self._end += written
            data = data[written:]

    def sync(self) -> None:
        os.fdatasync(self._fd)

    def finish(self, *, gives_back: bool = True) -> None:
        """Close the segment and free the rest of the preallocation, even after a failed write.

        What was written stays: the disk may contain a part of a poisoned segment.
        """
        if gives_back:
            with suppress(OSError):
                os.ftruncate(self._fd, self._end)
        with suppress(OSError):
            os.close(self._fd)
