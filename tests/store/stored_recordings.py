"""Recordings in a node's keeping, and their deadlines."""

from datetime import date, timedelta
from typing import Any

import asyncpg

from storage.recordings import Asked, Hold, find
from storage.sealing import SealResult
from tests.store.conversations import record_talk, recorded_call, recording_id
from tests.store.keeping import House

WHY = Hold("a dispute about a bill", "court 12/2026", "A. Peeters", "B. Janssens", date(2027, 3, 31))
CALL_ENDED = 66.623  # s after its beginning: tests.store.calls
KEYS = "SELECT count(*) FROM keys.audio_key"
DAY = timedelta(days=1)
FOREVER = 36_500.0  # days: NOON is long ago for whoever runs this later


async def store(house: House, *numbers: int, days: float = FOREVER, **more: Any) -> None:
    """Have these recorded calls sealed."""
    for n in numbers:
        record_talk(house.spool.folder, n)
    await house.drain(*(recorded_call(n, days=days, **more) for n in numbers))
    assert set(await house.seal()) == {SealResult.STORED}
    # Whenever this is run: their calls are over.
    await house.con.execute("UPDATE audio SET began = now() - interval '1 hour'")


async def age(house: House, n: int, **later: float) -> None:
    """Let its deadline be as if so much time had gone by."""
    gone_by = "UPDATE audio SET destroy_after = destroy_after - $2::interval WHERE audio_id = $1"
    await house.con.execute(gone_by, recording_id(n), timedelta(**later))


async def row(house: House, n: int) -> asyncpg.Record:
    (found,) = [it async for it in find(house.con, Asked(gone=True)) if it["recording_id"] == recording_id(n)]
    return found
