"""One bit flipped: in the journal, in CEL, in a stored object. It may cost the one call or sound that it hit.

What was hit is noted in the field, so that the oracle asks for one thing only: that the damage is reported.
"""

import os
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from signal import SIGKILL

from journal.cel import parse
from journal.entries import CallEnded, CallStarted
from journal.reader import Record, Unreadable, read
from journal.segment import HEADER, segments
from tests.faults.breaking import finish, stopped
from tests.faults.field import Field
from tests.faults.observe import database

STORED = """
SELECT audio_id FROM audio WHERE kind = 'recording' AND state = 'stored'
    AND destroy_after > now() + interval '1 minute' ORDER BY noted_at DESC LIMIT 1
"""


@asynccontextmanager
async def journal_bit_flipped(field: Field) -> AsyncIterator[None]:
    """In an entry of an ended call that the worker, which is away, has not read.

    If that is the call's end, the next checkpoint reports it: in ten minutes, or when an engine starts.
    """
    worker, since = field.part("worker"), time.time()
    with field.absence("worker", "killed"):
        await finish(worker, SIGKILL)
        yield
        flip_entry(field, since)
        await worker.start()
    async with stopped(field, "engine"):
        pass


def flip_entry(field: Field, since: float) -> None:
    newest = segments(field.house.state / "journal")[-1]
    records = read(newest).records
    entries = (it.entry for it in records if isinstance(it.entry, CallStarted))
    starts = {it.call: it for it in entries if it.at.timestamp() > since}
    ended = {it.entry.call for it in records if isinstance(it.entry, CallEnded)}
    hit = [it for it in records if call_of(it) in ended & set(starts)]
    if hit:
        record = random.choice(hit)
        flip(newest, record.begin + HEADER.size + len(record.payload) // 2)
        start = starts[call_of(record)]
        field.damage.calls.append((start.call, start.number, start.at.timestamp()))


def call_of(record: Record) -> str:
    """The call of this entry; "" for a checkpoint, and what cannot be read."""
    entry = record.entry
    return "" if isinstance(entry, Unreadable) else getattr(entry, "call", "")


@asynccontextmanager
async def cel_bit_flipped(field: Field) -> AsyncIterator[None]:
    """In the last line that Asterisk wrote while the engine was away."""
    engine = field.part("engine")
    with field.absence("engine", "killed"):
        await finish(engine, SIGKILL)
        yield
        flip_line(field)
        await engine.start()


def flip_line(field: Field) -> None:
    cel = field.house.endpoint.cel
    data = cel.read_bytes()
    begin = data.rstrip(b"\n").rfind(b"\n") + 1
    hit = parse(data[begin:].rstrip(b"\n"))
    lines = data.rstrip(b"\n").split(b"\n")
    starts = [
        event for event in map(parse, lines) if event.kind == "CHAN_START" and event.channel == hit.call
    ]
    flip(cel, begin + 1)  # in the kind of the event
    if starts:
        field.damage.calls.append(("", starts[-1].exten, starts[-1].at.timestamp()))


@asynccontextmanager
async def object_bit_flipped(field: Field) -> AsyncIterator[None]:
    """In the object of a recording that is to be kept."""
    yield
    async with database(field) as con:
        audio_id = await con.fetchval(STORED)
    if audio_id is not None:
        client, key = field.bucket.store.client(), f"recording/{audio_id}"
        body = bytearray(client.get_object(Bucket=field.bucket.bucket, Key=key)["Body"].read())
        body[len(body) // 2] ^= 1
        client.put_object(Bucket=field.bucket.bucket, Key=key, Body=bytes(body))
        field.damage.audio.append(audio_id)


def flip(path: Path, offset: int) -> None:
    """The lowest bit of that byte."""
    with path.open("r+b", buffering=0) as file:
        (byte,) = os.pread(file.fileno(), 1, offset)
        os.pwrite(file.fileno(), bytes([byte ^ 1]), offset)
