"""Reading a segment back: a prefix of what was written, never a wrong record."""

import json
import os
from pathlib import Path
from typing import Any, NamedTuple

from journal.segment import HEADER, Head, checksum, epoch_of

Entry = dict[str, Any]


class Record(NamedTuple):
    """An entry with its place: `end` is the byte after it, `seq` its number in the epoch, times in ns."""

    end: int
    seq: int
    boottime: int
    wall: int
    entry: Entry


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
    return Record(end, head.seq, head.boottime, head.wall, json.loads(payload))
