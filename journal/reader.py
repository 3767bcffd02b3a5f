"""Reading a segment: all whole records in order, never a wrong one."""

import os
from pathlib import Path
from typing import NamedTuple

import structlog
from msgspec import DecodeError, Struct
from msgspec.json import Decoder

from journal.checkpoint import Checkpoint, decode_checkpoint, is_checkpoint
from journal.codec import UnreadableEntry, decode
from journal.entries import CallStarted, Entry
from journal.segment import HEADER, Head, checksum, epoch_of

log = structlog.get_logger()


class Unreadable(Struct, frozen=True):
    """A payload that is whole, but not an entry of this version; only this entry is lost.

    `call` and `kind`: "" if even they cannot be read.
    """

    call: str = ""
    kind: str = ""
    why: str = ""

    @property
    def begins(self) -> bool:
        """Whether it would begin a call."""
        return self.kind == BEGINS


class Record(NamedTuple):
    """An entry with its place: `end` is the byte after it, `seq` its number in the epoch, times in ns.

    `skipped`: number of damaged bytes before it.
    """

    end: int
    seq: int
    boottime: int
    wall: int
    payload: bytes
    entry: Entry | Checkpoint | Unreadable
    skipped: int = 0

    @property
    def begin(self) -> int:
        """Its first byte."""
        return self.end - len(self.payload) - HEADER.size


BEGINS = str(CallStarted.__struct_config__.tag)
SCANNED = 2**20  # bytes at a time
EPOCH_AT = 8  # bytes of a header before the epoch
_name = Decoder(Unreadable).decode


class Read(NamedTuple):
    """The records, and the offset at which to continue."""

    records: list[Record]
    next_offset: int


def read(path: Path, offset: int = 0, most: int = 1_000_000, *, is_closed: bool = False) -> Read:
    """Read at most `most` records, from the byte `offset` (0, or an earlier `next_offset`).

    A damaged record is skipped: reading continues at the next whole one. After the last whole record is the
    place where the writer is, or a record that a crash has torn. `is_closed`: the segment is no longer
    written, so zeros do not mark the place of the writer, and may be damage too. Raises FileNotFoundError.
    """
    records: list[Record] = []
    last, skipped = 0, 0
    with path.open("rb", buffering=0) as file:
        fd, epoch = file.fileno(), epoch_of(path)
        while len(records) < most:
            record = read_one(fd, offset, epoch)
            if record is not None and record.seq > last:
                records.append(record._replace(skipped=skipped))
                offset, last, skipped = record.end, record.seq, 0
                continue
            start = None
            if is_closed or is_written(fd, offset):
                start = next_record(fd, offset, epoch, to_the_end=is_closed)
            if start is None:
                break
            if record is not None or read_one(fd, offset, epoch) is None:  # else: written meanwhile
                offset, skipped = start, skipped + start - offset
    return Read(records, offset)


def is_written(fd: int, offset: int) -> bool:
    """Whether there is more than the zeros of the preallocation."""
    return any(os.pread(fd, HEADER.size, offset))


def next_record(fd: int, offset: int, epoch: int, *, to_the_end: bool = False) -> int | None:
    """Return where the next whole record of this epoch begins after `offset`; None if there is none.

    It is recognized by its epoch, 8 bytes that JSON cannot contain. A megabyte of zeros is the preallocation,
    except `to_the_end`: a disk may have lost megabytes of a segment, and have those after them.
    """
    mark = epoch.to_bytes(8, "little")
    at = offset + 1
    while chunk := os.pread(fd, SCANNED, at):
        if not to_the_end and not chunk.strip(b"\0"):
            return None
        epoch_at = chunk.find(mark, EPOCH_AT)
        while epoch_at >= 0:
            start = at + epoch_at - EPOCH_AT
            if read_one(fd, start, epoch) is not None:
                return start
            epoch_at = chunk.find(mark, epoch_at + 1)
        at += max(len(chunk) - HEADER.size, 1)
    return None


def read_one(fd: int, offset: int, epoch: int) -> Record | None:
    """Return the record at `offset`, if there is a whole one of this epoch."""
    raw = os.pread(fd, HEADER.size, offset)
    if len(raw) < HEADER.size:
        return None
    head = Head(*HEADER.unpack(raw))
    end = offset + HEADER.size + head.length
    # Check the length before using it: with a flipped bit it may be 4 GB.
    if head.length == 0 or head.epoch != epoch or end > os.fstat(fd).st_size:
        return None
    payload = os.pread(fd, head.length, offset + HEADER.size)
    if len(payload) < head.length or checksum(raw, payload) != head.crc:
        return None
    return Record(end, head.seq, head.boottime, head.wall, payload, content_of(payload))


def content_of(payload: bytes) -> Entry | Checkpoint | Unreadable:
    """Return the content of a record."""
    if not is_checkpoint(payload):
        return entry_of(payload)
    try:
        return decode_checkpoint(payload)
    except UnreadableEntry as error:
        return unreadable(payload, str(error))


def entry_of(payload: bytes) -> Entry | Unreadable:
    """Return the entry in this payload."""
    try:
        return decode(payload)
    except UnreadableEntry as error:
        return unreadable(payload, str(error))


def unreadable(payload: bytes, why: str) -> Unreadable:
    try:
        name = _name(payload)
    except DecodeError:
        name = Unreadable()
    log.error("journal_entry_unreadable", call=name.call, kind=name.kind, why=why)
    return Unreadable(name.call, name.kind, why)
