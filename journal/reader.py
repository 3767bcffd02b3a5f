"""Reading a segment back: a prefix of what was written, never a wrong record."""

import os
from pathlib import Path
from typing import NamedTuple

import structlog
from msgspec import DecodeError, Struct
from msgspec.json import Decoder

from journal.checkpoint import Checkpoint, decode_checkpoint, is_checkpoint
from journal.entries import CallStarted, Entry, UnreadableEntry, decode
from journal.segment import HEADER, Head, checksum, epoch_of

log = structlog.get_logger()


class Unreadable(Struct, frozen=True):
    """A payload that is whole and no entry of this version; it costs nothing but itself.

    `call` and `kind` are "" where even these cannot be read.
    """

    call: str = ""
    kind: str = ""
    why: str = ""

    @property
    def begins(self) -> bool:
        """Would it begin a call?"""
        return self.kind == BEGINS


class Record(NamedTuple):
    """An entry with its place: `end` is the byte after it, `seq` its number in the epoch, times in ns."""

    end: int
    seq: int
    boottime: int
    wall: int
    payload: bytes
    entry: Entry | Checkpoint | Unreadable


BEGINS = str(CallStarted.__struct_config__.tag)
_name = Decoder(Unreadable).decode


class Read(NamedTuple):
    """What was read, and where to read on."""

    records: list[Record]
    next_offset: int


def read(path: Path, offset: int = 0, most: int = 1_000_000) -> Read:
    """At most `most` records from the byte `offset` on (0, or a `next_offset` of before).

    Stops before the first record that is not whole: the writer is there, or a crash has torn it. Raises
    FileNotFoundError.
    """
    records: list[Record] = []
    with path.open("rb", buffering=0) as file:
        while len(records) < most:
            record = read_one(file.fileno(), offset, epoch_of(path))
            if record is None or (records and record.seq != records[-1].seq + 1):
                break
            records.append(record)
            offset = record.end
    return Read(records, offset)


def read_one(fd: int, offset: int, epoch: int) -> Record | None:
    """The record at `offset`, if a whole one of this epoch stands there."""
    raw = os.pread(fd, HEADER.size, offset)
    if len(raw) < HEADER.size:
        return None
    head = Head(*HEADER.unpack(raw))
    end = offset + HEADER.size + head.length
    # The length is looked at before it is believed: a flipped one may say 4 GB.
    if head.length == 0 or head.epoch != epoch or end > os.fstat(fd).st_size:
        return None
    payload = os.pread(fd, head.length, offset + HEADER.size)
    if len(payload) < head.length or checksum(raw, payload) != head.crc:
        return None
    return Record(end, head.seq, head.boottime, head.wall, payload, content_of(payload))


def content_of(payload: bytes) -> Entry | Checkpoint | Unreadable:
    """What a record holds."""
    if not is_checkpoint(payload):
        return entry_of(payload)
    try:
        return decode_checkpoint(payload)
    except UnreadableEntry as error:
        return unreadable(payload, str(error))


def entry_of(payload: bytes) -> Entry | Unreadable:
    """The entry of this payload."""
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
