"""The worker killed anywhere: no recording lost before its deadline, none kept after it.

`CALLENGINE_KILLS=n` kills at n passings of every point, and at 20 n random moments.
"""

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path

import asyncpg
import pytest

from journal.codec import decode, encode
from journal.entries import Entry
from journal.writer import Journal
from storage.audit import Auditor
from storage.conversation import join
from storage.encrypted_store import EncryptedStore
from storage.key_wrapper import KeyWrapper, new_master_key
from storage.objects.directory import Directory
from storage.spool import Spool
from storage.tombstones import verify
from tests.store.conversations import record_sides, recorded_call, recording_id
from tests.store.points import stretch
from tests.store.sounds import samples, wav_of
from tests.store.worker_process import until, working
from tests.tiers import mostly_heavy

KILLS = int(os.environ.get("CALLENGINE_KILLS", "1"))

KEPT, EXPIRED, EMPTY = 1, 2, 3
# Not passed here: what is set aside, an object that lies there already.
PASSED_BY = ("drain.before_one", "drain.after_one", "drain.before_late_mark", "drain.before_dead_letter")
KINDS = ("drain", "seal", "store", "object", "spool", "destroy")
POINTS = [it for it in stretch(*KINDS) if it not in (*PASSED_BY, "store.before_second_put")]
# A day kills once on every stretch, for there is something left to do on the later ones.
DAYS = [
    tuple(filter(None, names))
    for names in zip_longest(
        [it for it in POINTS if it.startswith("drain")],
        [it for it in POINTS if not it.startswith(("drain", "destroy"))],
        [it for it in POINTS if it.startswith("destroy")],
    )
]
STATES = "SELECT audio_id, state FROM audio"


def long_ago() -> list[list[Entry]]:
    """Two are to be kept for a hundred years more, but one of them is empty; the third's time is over.

    Were the empty one's over too, it would be chance whether it is sealed or destroyed first.
    """
    calls = [recorded_call(n, days=days) for n, days in ((KEPT, 36_500), (EXPIRED, 1), (EMPTY, 36_500))]
    return [[decode(encode(it).replace(b"2026-11-24T", b"2024-11-24T")) for it in call] for call in calls]


def sides(n: int) -> tuple[bytes, bytes]:
    return samples(10 * n, 2.0), samples(10 * n + 1, 2.0)


@dataclass
class Day:
    """Three recorded calls, and a worker that is to see to them whatever befalls."""

    state: Path
    con: asyncpg.Connection
    database: str
    key: str = field(default_factory=new_master_key)

    async def begin(self) -> None:
        spool = self.state / "spool"
        self.state.mkdir()
        for n in (KEPT, EXPIRED):
            record_sides(spool, n, *sides(n))
        record_sides(spool, EMPTY, b"", b"")
        journal = await Journal.open(self.state / "journal", "here", 4096)
        for entries in long_ago():
            *_, last = [journal.append(entry) for entry in entries]
            await last
        await journal.close()

    @property
    def told(self) -> dict[str, str]:
        return {
            "CALLENGINE_NODE": "here",
            "CALLENGINE_STATE": str(self.state),
            "CALLENGINE_DATABASE": self.database,
            "CALLENGINE_HTTP__WORKER_PORT": "0",
            "CALLENGINE_MASTER_KEY": self.key,
            "CALLENGINE_ASTERISK__RECORDINGS": str(self.state / "spool"),
        }

    async def kill_at(self, failpoint: str) -> bool:
        """Run until it is killed there, or nothing is left to do; whether it was killed."""
        with working(self.told, self.state / "log", failpoint) as worker:

            async def is_over() -> bool:
                return worker.exitcode is not None or await self.is_done()

            await until(is_over, f"killed at {failpoint}")
            return worker.exitcode == -signal.SIGKILL

    async def finish(self) -> None:
        with working(self.told, self.state / "log"):
            await until(self.is_done, "stored and destroyed")

    async def is_done(self) -> bool:
        found = {row["audio_id"]: row["state"] for row in await self.con.fetch(STATES)}
        wanted = {KEPT: "stored", EXPIRED: "destroyed", EMPTY: "destroyed"}
        done = {recording_id(n): state for n, state in wanted.items()} == found
        return done and not any((self.state / "spool").glob("[!.]*"))


@pytest.fixture
async def day(tmp_path: Path, database: str) -> AsyncIterator[Day]:
    con = await asyncpg.connect(database)
    try:
        found = Day(tmp_path / "state", con, database)
        await found.begin()
        yield found
    finally:
        await con.close()


async def hold_against_what_was_promised(day: Day) -> None:
    """The one oracle of all of these tests."""
    objects = Directory(day.state / "objects")
    kept = await EncryptedStore(objects, KeyWrapper(day.key)).fetch(day.con, recording_id(KEPT))
    caller, destination = map(wav_of, sides(KEPT))
    assert kept == join(caller, destination, "wav").data
    # What a killed upload has left (ID.abcd.part) is sealed with the same key, and goes with the sound.
    names = {it.name.partition(".")[0] async for it in objects.all()}
    assert names == {f"recording/{recording_id(KEPT)}"}
    keys = await day.con.fetch("SELECT audio_id FROM keys.audio_key")
    assert [row["audio_id"] for row in keys] == [recording_id(KEPT)]
    stones = await day.con.fetch("SELECT audio_id FROM tombstone")
    assert {row["audio_id"] for row in stones} == {recording_id(EXPIRED), recording_id(EMPTY)}
    assert (await verify(day.con)).head.seq == 2
    pieces = [side[8000:8064] for n in (KEPT, EXPIRED) for side in sides(n)]
    files = [path for path in day.state.rglob("*") if path.is_file()]
    assert [path for path in files if any(piece in path.read_bytes() for piece in pieces)] == []
    auditor = Auditor(objects, Spool(day.state / "spool"), read=True)
    assert [str(finding) async for finding in auditor.findings(day.con)] == []


async def hold_against_the_deadline(day: Day) -> None:
    """When the last one's time has come, nothing at all is left."""
    await day.con.execute("UPDATE audio SET destroy_after = now() WHERE audio_id = $1", recording_id(KEPT))
    with working(day.told, day.state / "log"):

        async def is_gone() -> bool:
            query = "SELECT count(*) FROM audio WHERE state <> 'destroyed'"
            return bool(await day.con.fetchval(query) == 0)

        await until(is_gone, "the last one is destroyed")
    assert [path for path in (day.state / "objects").rglob("[!.]*") if path.is_file()] == []
    assert await day.con.fetchval("SELECT count(*) FROM keys.audio_key") == 0


@pytest.mark.parametrize("nth", range(1, KILLS + 1))
@pytest.mark.parametrize("names", mostly_heavy(DAYS, 3), ids=" ".join)
async def test_killed_at_a_point_it_loses_and_keeps_nothing(
    day: Day, names: tuple[str, ...], nth: int
) -> None:
    killed = [await day.kill_at(f"{name}:{nth}") for name in names]
    assert nth > 1 or any(killed)
    await day.finish()
    await hold_against_what_was_promised(day)
    await hold_against_the_deadline(day)


@pytest.mark.parametrize("seed", mostly_heavy(range(2 if KILLS == 1 else 20 * KILLS), 1))
async def test_killed_at_any_time_it_loses_and_keeps_nothing(day: Day, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(chance.randint(2, 5)):
        with working(day.told, day.state / "log"):
            await asyncio.sleep(min(chance.expovariate(3), 1.5))  # a random moment
    await day.finish()
    await hold_against_what_was_promised(day)
    await hold_against_the_deadline(day)
