"""The engine is killed under live calls, at random moments: talks are not interrupted, records are as true.

KILLS=n: so many kills -9; LINES=n: so many calls beside each other; KILLS=100 LINES=50 is the promise. What
the telephones saw is held against the records; with -s it shows what there was. The telephones' instants are
those of the kernel, so they may be late themselves; Asterisk may not, so the test runs alone.
"""

import asyncio
import json
import os
import random
import time
from collections.abc import AsyncIterator, Sequence, Set
from contextlib import suppress
from datetime import UTC, datetime

import asyncpg
import pytest

from storage.records import CallRecord
from tests.live.ari import left_in
from tests.live.fragile import Fragile
from tests.live.service import House, Watched, until, watching
from tests.live.traffic.run import agree, traffic
from tests.live.traffic.seen import Seen, Span
from tests.live.traffic.summary import PHASES, hit, summary
from tests.live.traffic.truth import Evidence, hold
from tests.tiers import first_light

KILLS = int(os.environ.get("KILLS", "3"))
LINES = int(os.environ.get("LINES", "4"))
LATE = float(os.environ.get("LATE_SECONDS", "0.05"))
SECONDS_BETWEEN = 2.0  # kills, on an average
AWAY = 1.5  # s between a kill and the next engine's start, at most
STILL = max(0.1, LATE)  # s without the other: more is an interruption
ENOUGH = 500  # kills x LINES, from which on every phase must have been hit
RECORDINGS = """
SELECT audio_id, audio.began, audio.ended, evidence FROM recording JOIN audio USING (audio_id)
WHERE audio_id = ANY($1)
"""


@pytest.fixture
async def watched(house: House) -> AsyncIterator[Watched]:
    """The service; afterwards no call is left and no error was logged."""
    async with watching(house) as it:
        yield it


@pytest.fixture
async def engine(watched: Watched) -> AsyncIterator[Fragile]:
    """The engine; it runs when the test is over, whatever became of the test."""
    fragile = Fragile(watched.house.engine)
    yield fragile
    await fragile.start()


@pytest.mark.alone
@pytest.mark.timeout(240 + 15 * KILLS)
@pytest.mark.parametrize("times", first_light(1, KILLS))
async def test_an_engine_killed_at_any_moment_of_any_call_costs_nothing(
    watched: Watched, engine: Fragile, times: int
) -> None:
    seed, began = str(random.randrange(10**6)), datetime.now(UTC)
    print("seed", seed)
    async with traffic(watched.house, agree(watched.house, LINES), seed) as calls:
        kills = await kill_again_and_again(engine, times, random.Random(seed))
        reports = await calls.over()
        assert (calls.exchange.strays, [it for report in reports for it in report.strays]) == ([], [])
    seen = [call for report in reports for call in report.seen]
    left = await channels_left(watched)
    records = await all_records(watched, {call.number for call in seen}, began)
    held = hold(seen, records, await recordings_of(watched.house, records), [(at, at) for at, _ in kills])
    wrong = held.wrong + held.far(LATE) + interrupted(seen)
    print(*summary(reports, records, kills, held, len(left)), f"{len(wrong)} wrong", *wrong, sep="\n")
    assert [report.dropped for report in reports] == [0] * len(reports), "the telephones were too slow"
    assert (wrong, left) == ([], [])
    if times * LINES >= ENOUGH:
        assert set(hit(seen, kills)) >= set(PHASES)


async def kill_again_and_again(engine: Fragile, times: int, dice: random.Random) -> list[Span]:
    """Kill it at random moments; from when until when it was away."""
    kills = []
    for _ in range(times):
        await asyncio.sleep(dice.expovariate(1 / SECONDS_BETWEEN))  # a random moment
        at = time.time()
        await engine.end()
        await asyncio.sleep(dice.uniform(0, AWAY))  # for so long there is no engine
        await engine.start()
        kills.append((at, time.time()))
    return kills


async def channels_left(watched: Watched) -> list[str]:
    """What Asterisk still has once every telephone has hung up and the engine has no call any more."""
    with suppress(TimeoutError):
        await until(watched.is_empty, 30)
    return left_in(watched.house.endpoint)


async def all_records(watched: Watched, numbers: Set[str], began: datetime) -> list[CallRecord]:
    """The records of the calls to these numbers, once every call that the journal knows has its own."""
    entries = watched.house.journal.entries()
    known = {it["call"] for it in entries if it["kind"] == "call_start" and it["number"] in numbers}
    records = await watched.records(None, len(known), 60, since=began)
    return [record for record in records if record.number in numbers]


async def recordings_of(house: House, records: Sequence[CallRecord]) -> dict[str, Evidence]:
    """The recordings of these calls, by their ids."""
    con = await asyncpg.connect(house.run.database)
    try:
        rows = await con.fetch(RECORDINGS, [it.recording_id for it in records if it.recording_id])
    finally:
        await con.close()
    return {
        row["audio_id"]: {"began": row["began"], "ended": row["ended"], **json.loads(row["evidence"])}
        for row in rows
    }


def interrupted(seen: Sequence[Seen]) -> list[str]:
    """The talks in which one did not hear the other."""
    return [
        f"{call.script} to {call.number}: the {who} heard nothing for {silence:.3f} s"
        for call in seen
        for who, silence in (("caller", call.caller_silence), ("destination", call.destination_silence))
        if silence > STILL
    ]
