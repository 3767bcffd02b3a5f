"""Many deadlines: a worker keeps them all in time, proves it, and nothing of the sounds is left anywhere.

`CALLENGINE_DEADLINES=10000` is what is promised, over ten minutes; `make test` is content with fewer,
as dense. With -s it shows how late they were.
"""

import os
import random
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from storage.audit import Auditor
from storage.tombstones import Tombstone, verify
from tests.store.conversations import record_sides, recorded_call, recording_id
from tests.store.keeping import House, house_of
from tests.store.own_worker import Keeping, keeping
from tests.store.sounds import samples
from tests.store.worker_process import until
from tests.tiers import first_light

MANY = int(os.environ.get("CALLENGINE_DEADLINES", "60"))
OVER_SECONDS = 600 * MANY / 10_000
SEALED_PER_SECOND = 10  # at least: what the test waits for
FOREVER = 36_500.0  # days

# In every one of the sounds, on either side: laid side by side, each sample stands there twice.
KNOWN = samples(0, 0.008)
TWICE = b"".join(KNOWN[at : at + 2] * 2 for at in range(0, len(KNOWN), 2))

SPREAD = """
UPDATE audio SET destroy_after = now() + $1::interval * place FROM (
    SELECT audio_id AS id, row_number() OVER (ORDER BY md5(audio_id)) / count(*) OVER ()::float8 AS place
    FROM audio) AS placed
WHERE id = audio_id
"""
LATE = """
SELECT extract(epoch FROM percentile_cont(0.5) WITHIN GROUP (ORDER BY lag))::float8 AS p50,
       extract(epoch FROM percentile_cont(0.99) WITHIN GROUP (ORDER BY lag))::float8 AS p99,
       extract(epoch FROM max(lag))::float8 AS max, extract(epoch FROM min(lag))::float8 AS min
FROM (SELECT destroyed_at - destroy_after AS lag FROM tombstone) AS lags
"""


@pytest.fixture(params=first_light("bucket", "directory"))
async def kept(request: pytest.FixtureRequest, database: str, tmp_path: Path) -> AsyncIterator[Keeping]:
    s3, bucket = None, ""
    if request.param == "bucket":
        s3, bucket = request.getfixturevalue("s3"), request.getfixturevalue("bucket")
    async with keeping(database, tmp_path, s3, bucket) as it:
        yield it


async def are_all(kept: Keeping, state: str) -> bool:
    query = "SELECT count(*) FROM audio WHERE state = $1"
    return bool(await kept.house.con.fetchval(query, state) == MANY)


async def traces(kept: Keeping) -> list[str]:
    """Wherever the sounds can still be heard: on any disk, in the database, in temporary files."""
    database = Path(await kept.house.con.fetchval("SHOW data_directory"))
    files = [path for folder in (*kept.folders, database) for path in folder.rglob("*")]
    found = [str(path) for path in files if path.is_file() and holds(path.read_bytes())]
    dump = await kept.house.dump()
    return found + ["a table"] * (KNOWN.hex() in dump or TWICE.hex() in dump)


def holds(data: bytes) -> bool:
    return KNOWN in data or TWICE in data


async def record_all(house: House) -> None:
    for n in range(MANY):
        sound = KNOWN + samples(n, 0.192)
        record_sides(house.spool.folder, n, sound, sound)
    for n in range(0, MANY, 500):
        some = range(n, min(n + 500, MANY))
        await house.drain(*(recorded_call(it, lasted=0.2, days=FOREVER) for it in some))


@pytest.mark.timeout(120 + OVER_SECONDS + MANY / SEALED_PER_SECOND)
async def test_many_deadlines_are_all_kept_in_time_and_proved(kept: Keeping) -> None:
    house = kept.house
    await record_all(house)
    assert len(await traces(kept)) == 2 * MANY, "what is looked for is found where it is"
    with kept.working():
        await until(lambda: are_all(kept, "stored"), "all are stored", 60 + MANY / SEALED_PER_SECOND)
        await house.con.execute(SPREAD, timedelta(seconds=OVER_SECONDS))
        await until(lambda: are_all(kept, "destroyed"), "all are destroyed", OVER_SECONDS + 90)
    late = await house.con.fetchrow(LATE)
    assert late is not None
    print(f"{MANY} in {OVER_SECONDS:g} s late by", {name: round(it, 2) for name, it in late.items()})
    assert late["p99"] <= 60
    assert late["min"] >= 0
    assert await traces(kept) == []
    assert (house.spooled(), await house.names()) == ([], [])
    assert await house.con.fetchval("SELECT count(*) FROM keys.audio_key") == 0
    chain = await verify(house.con)
    assert (chain.broken, chain.head.seq) == ("", MANY)
    auditor = Auditor(house.store, house.spool, read=True)
    assert [it async for it in auditor.findings(house.con, chain.head)] == []
    for seq in random.sample(range(1, MANY + 1), 5):
        assert await is_found(house, seq, "cipher_sha256", "reverse(cipher_sha256)")


CHANGES = {
    "seq": "seq + 1000",
    "owner": "'b' || substr(owner, 2)",
    "audio_id": "reverse(audio_id)",
    "kind": "'message'",
    "began": "began + interval '1 microsecond'",
    "destroy_after": "destroy_after + interval '1 microsecond'",
    "destroyed_at": "destroyed_at + interval '1 microsecond'",
    "reason": "'operator'",
    "method": "'file'",
    "versions": "versions + 1",
    "cipher_sha256": "reverse(cipher_sha256)",
    "prev": "overlay(prev PLACING 'x' FROM 7)",
    "hash": "reverse(hash)",
}


async def is_found(house: House, seq: int, column: str, other: str) -> bool:
    """Whether the chain betrays that this column of a line says something else; it is put right again."""
    await house.con.execute("CREATE TEMPORARY TABLE was AS SELECT * FROM tombstone")
    await house.tamper(f"UPDATE tombstone SET {column} = {other} WHERE seq = {seq}")  # noqa: S608
    chain = await verify(house.con)
    await house.tamper("TRUNCATE tombstone; INSERT INTO tombstone SELECT * FROM was; DROP TABLE was")
    assert (await verify(house.con)).broken == ""
    return chain.broken != ""


async def test_a_byte_flipped_in_any_tombstone_is_found(database: str, tmp_path: Path) -> None:
    assert set(CHANGES) == {*Tombstone.__dataclass_fields__, "seq", "prev", "hash"}
    async with house_of(database, tmp_path) as house:
        for n in range(3):
            record_sides(house.spool.folder, n, KNOWN, KNOWN)
        await house.drain(*(recorded_call(n, lasted=0.008, days=FOREVER) for n in range(3)))
        await house.seal()
        await house.con.execute("UPDATE audio SET destroy_after = now()")
        await house.destroy()
        assert await house.state(recording_id(2)) == "destroyed"
        for seq in (1, 2, 3):
            for column, other in CHANGES.items():
                assert await is_found(house, seq, column, other), (seq, column)
