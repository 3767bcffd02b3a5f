"""The object store is away for an hour: what is past its deadline is unreadable within a minute all the same.

By the clock: every instant in the database is drawn nearer, five minutes at a time, so that the worker, a
real one, sees an hour go by. OUTAGE_SECONDS=3600 lets it go by. With -s it shows how late they were.
"""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from devkit.seaweed import Seaweed, seaweed, wait_ready
from storage.audit import Auditor
from storage.encrypted_store import AudioDestroyed
from storage.objects import ObjectsTrouble
from storage.tombstones import verify
from tests.store.conversations import record_talk, recorded_call, recording_id
from tests.store.own_worker import Keeping, keeping
from tests.store.worker_process import until
from tests.tiers import first_light

HOUR = timedelta(hours=1)
STEP = timedelta(minutes=5)
REALLY = float(os.environ.get("OUTAGE_SECONDS", "0"))
ON_TIME = 60.0  # s
PAUSE = 0.5  # s, between two steps: as many looks as the worker makes in that time

# By number: stored before the outage, or recorded in it; due in it, or kept for a hundred years.
STORED_DUE, STORED_KEPT = range(8), range(8, 12)
SPOOLED_DUE, SPOOLED_KEPT = range(20, 28), range(28, 32)
DUE, KEPT = [*STORED_DUE, *SPOOLED_DUE], [*STORED_KEPT, *SPOOLED_KEPT]

SPREAD = """
UPDATE audio SET destroy_after = now() + $2::interval * place FROM (
    SELECT audio_id AS id, row_number() OVER (ORDER BY md5(audio_id)) / count(*) OVER ()::float8 AS place
    FROM audio WHERE audio_id = ANY($1)) AS placed
WHERE id = audio_id
"""
DRAW_NEARER = """
UPDATE audio SET destroy_after = destroy_after - $1::interval, next_at = next_at - $1::interval,
    lease_until = lease_until - $1::interval
"""
LOOK = """
SELECT audio_id, destroy_after <= now() AS due, wrapped IS NOT NULL AS opens
FROM audio LEFT JOIN keys.audio_key USING (audio_id)
"""


@dataclass
class Watch:
    """When each recording was first seen to be due, and when nobody could hear it any more."""

    keeping: Keeping
    due: dict[str, float] = field(default_factory=dict)
    gone: dict[str, float] = field(default_factory=dict)

    async def look(self) -> None:
        now, spooled = time.monotonic(), self.keeping.house.spooled()
        for row in await self.keeping.house.con.fetch(LOOK):
            audio_id = row["audio_id"]
            if row["due"]:
                self.due.setdefault(audio_id, now)
                if not row["opens"] and not any(name.startswith(audio_id) for name in spooled):
                    self.gone.setdefault(audio_id, now)

    async def all_are_gone(self) -> bool:
        await self.look()
        return set(self.gone) == set(named(DUE))

    @property
    def late(self) -> list[float]:
        return sorted(self.gone[audio_id] - self.due[audio_id] for audio_id in self.gone)


def named(numbers: "range | list[int]") -> list[str]:
    return [recording_id(n) for n in numbers]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Seaweed]:
    """One of its own, that may be away."""
    with seaweed(tmp_path / "seaweed", tmp_path / "seaweed.log") as found:
        yield found


@pytest.fixture
async def kept(database: str, tmp_path: Path, store: Seaweed) -> AsyncIterator[Keeping]:
    (tmp_path / "house").mkdir()
    async with keeping(database, tmp_path / "house", store, store.make_bucket("sounds")) as it:
        yield it


@contextmanager
def away(store: Seaweed, how: str) -> Iterator[None]:
    """Ended, nobody listens there; suspended, it takes connections and never answers."""
    if how == "ended":
        store.stop()
        yield
        store.restart()
        wait_ready(store)
        return
    store.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        store.process.send_signal(signal.SIGCONT)


async def record(kept: Keeping, *numbers: int) -> None:
    for n in numbers:
        record_talk(kept.house.spool.folder, n, 0.5)
    await kept.house.drain(*(recorded_call(n, lasted=0.5, days=36_500) for n in numbers))


async def let_an_hour_go_by(watch: Watch) -> None:
    """Or as long as was asked for."""
    con = watch.keeping.house.con
    await con.execute(SPREAD, named(DUE), timedelta(seconds=REALLY) or HOUR)
    over = time.monotonic() + (REALLY or PAUSE * HOUR / STEP)
    nearer = time.monotonic()
    while time.monotonic() < over:
        if not REALLY and time.monotonic() >= nearer:
            nearer += PAUSE
            await con.execute(DRAW_NEARER, STEP)
        await watch.look()
        await asyncio.sleep(0.1)


@pytest.mark.timeout(240 + REALLY)
@pytest.mark.parametrize("how", first_light("ended", "suspended"))
async def test_for_as_long_as_the_store_is_away_what_is_due_is_unreadable(
    kept: Keeping, store: Seaweed, how: str
) -> None:
    house = kept.house
    await record(kept, *STORED_DUE, *STORED_KEPT)
    with kept.working():

        async def are_stored() -> bool:
            return {await house.state(it) for it in named([*STORED_DUE, *STORED_KEPT])} == {"stored"}

        await until(are_stored, "stored before the outage")
        before = {it: await house.encrypted_store.fetch(house.con, it) for it in named(STORED_KEPT)}
        watch = Watch(kept)
        with away(store, how):
            await record(kept, *SPOOLED_DUE, *SPOOLED_KEPT)
            await let_an_hour_go_by(watch)
            await until(watch.all_are_gone, "nobody can hear what is due", ON_TIME)
            late = watch.late
            print(
                f"{how}: unreadable {late[len(late) // 2]:.1f} s late in the middle, at most {late[-1]:.1f}"
            )
            assert late[-1] < ON_TIME
            await hold_while_it_is_away(kept, how)
        await hold_when_it_is_back(kept, before)


async def hold_while_it_is_away(kept: Keeping, how: str) -> None:
    """What is due cannot be fetched; what is not waits, in the store or in the spool."""
    house = kept.house
    for audio_id in named(DUE):
        with pytest.raises(AudioDestroyed):
            await house.encrypted_store.fetch(house.con, audio_id)
    assert {name.rpartition("-")[0] for name in house.spooled()} == set(named(SPOOLED_KEPT))
    if how == "ended":
        with pytest.raises(ObjectsTrouble):
            await house.encrypted_store.fetch(house.con, recording_id(STORED_KEPT[0]))


async def hold_when_it_is_back(kept: Keeping, before: dict[str, bytes]) -> None:
    """Objects follow their keys, with a tombstone each; what is kept is stored, and what it was."""
    house = kept.house

    async def is_over() -> bool:
        await house.con.execute(
            "UPDATE audio SET next_at = least(next_at, now())"
        )  # else it waits up to 64 s
        states = {it: await house.state(it) for it in named([*DUE, *KEPT])}
        return states == {**dict.fromkeys(named(DUE), "destroyed"), **dict.fromkeys(named(KEPT), "stored")}

    await until(is_over, "all is as it should be", 120)
    assert {it: await house.encrypted_store.fetch(house.con, it) for it in before} == before
    assert await house.names() == sorted(f"recording/{it}" for it in named(KEPT))
    chain = await verify(house.con)
    assert (chain.broken, chain.head.seq) == ("", len(DUE))
    auditor = Auditor(house.store, house.spool, read=True)
    assert [str(it) async for it in auditor.findings(house.con, chain.head)] == []
