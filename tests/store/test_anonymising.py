"""Numbers lose their last digits after the owner's period: no total changes, a hold wins, twice is once."""

from collections.abc import AsyncIterator, Mapping
from datetime import date, timedelta
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from config.load import load
from config.policy import Policy
from config.versions import Versions
from storage import recordings
from storage.anonymising import BATCH, anonymise_next, due
from storage.key_wrapper import new_master_key
from storage.recordings import Hold
from tests.store.calls import NOON, answered_call, call_id
from tests.store.conversations import record_talk, recorded_call, recording_id
from tests.store.forgetting import TOTALS
from tests.store.keeping import House, house_of
from tests.store.points import stretch
from tests.store.sounds import voicemail_call
from tests.store.worker_process import until, working
from tests.tiers import first_light
from tests.unit.folders import good_folder

HOLD = Hold("a dispute", "court 12/2026", "A. Peeters", "B. Janssens", date(2999, 1, 1))
AFTER = timedelta(days=7)
CALLERS = "SELECT caller FROM call ORDER BY began"


@pytest.fixture
async def house(database: str, tmp_path: Path) -> AsyncIterator[House]:
    async with house_of(database, tmp_path) as found:
        yield found


async def age(house: House, days: int = 8) -> None:
    """As if everything had been so long ago."""
    back = "UPDATE call SET began = now() - $1 * interval '1 day' - (SELECT max(began) FROM call) + began"
    await house.con.execute(back, days)


async def test_callers_and_destinations_lose_their_last_digits_and_no_total_changes(house: House) -> None:
    await house.drain(answered_call(1), voicemail_call(2), answered_call(3, caller="", withheld=True))
    await age(house)
    before = await house.con.fetch(TOTALS)
    assert await due(house.con, {"acme": AFTER}) == 3
    assert await anonymise_next(house.con, "acme", AFTER) == 3
    assert [row["caller"] for row in await house.con.fetch(CALLERS)] == ["+32470", "+32470", None]
    legs = await house.con.fetch("SELECT DISTINCT destination FROM leg")
    assert [leg["destination"] for leg in legs] == ["+322"]
    delivered = "SELECT DISTINCT delivered_to FROM call ORDER BY 1"
    assert [row["delivered_to"] for row in await house.con.fetch(delivered)] == ["+322", "voicemail"]
    assert await house.con.fetchval("SELECT caller FROM message") == "+32470"
    assert await house.con.fetch(TOTALS) == before
    assert "0111222" not in await house.dump()
    line = await house.con.fetchrow("SELECT what, owner, detail FROM access")
    assert line is not None
    assert tuple(line) == ("anonymise", "acme", "calls older than 7 days, by the worker")


async def test_twice_is_once_and_a_younger_call_or_another_owner_is_left_alone(house: House) -> None:
    await house.drain(answered_call(1), answered_call(2, owner="taxi"))
    await age(house)
    await house.drain(answered_call(3), rev=9)
    await house.con.execute("UPDATE call SET began = now() WHERE call_id = $1", call_id(3))
    assert [await anonymise_next(house.con, "acme", AFTER) for _ in range(2)] == [1, 0]
    assert [row["caller"] for row in await house.con.fetch(CALLERS)] == [
        "+32470",
        "+32470111222",
        "+32470111222",
    ]
    assert await due(house.con, {"acme": AFTER, "taxi": AFTER}) == 1


async def test_many_calls_are_done_in_batches(house: House) -> None:
    await house.drain(*(answered_call(n) for n in range(BATCH + 10)))
    await age(house)
    assert [await anonymise_next(house.con, "acme", AFTER) for _ in range(3)] == [BATCH, 10, 0]
    assert await house.con.fetchval("SELECT count(*) FROM access") == 1


@pytest.mark.parametrize("name", first_light(*stretch("anonymise")))
async def test_killed_at_a_point_the_next_worker_does_the_rest(
    house: House, database: str, name: str
) -> None:
    owners = {"acme.yaml": "name: ACME\nanonymise_after: 7 days\n"}
    told = told_of(house, database, owners)
    await house.drain(*(answered_call(n) for n in range(BATCH + 1)))
    await age(house)
    with working(told, house.folder / "log", name) as worker:
        await until(lambda: is_dead(worker), f"killed at {name}")
    with working(told, house.folder / "log"):
        await until(lambda: nothing_due(house), "all are anonymised")
    assert "0111222" not in await house.dump()


async def is_dead(worker: BaseProcess) -> bool:
    return worker.exitcode is not None


async def nothing_due(house: House) -> bool:
    return await due(house.con, {"acme": AFTER}) == 0


def told_of(house: House, database: str, owners: Mapping[str, str]) -> dict[str, str]:
    """What a worker is told of this house, with these owners in force."""
    folder = good_folder(house.folder / "routing")
    for file, text in owners.items():
        (folder / "owners" / file).write_text(text)
    versions, digest = Versions(house.folder / "routing-versions"), load(folder, Policy()).digest
    versions.store(folder, digest)
    versions.enter(digest, (), NOON)
    return {
        "CALLENGINE_NODE": "here",
        "CALLENGINE_STATE": str(house.folder),
        "CALLENGINE_DATABASE": database,
        "CALLENGINE_HTTP__WORKER_PORT": "0",
        "CALLENGINE_MASTER_KEY": new_master_key(),
        "CALLENGINE_ASTERISK__RECORDINGS": str(house.spool.folder),
    }


async def test_a_legal_hold_keeps_the_numbers_until_it_ends(house: House) -> None:
    record_talk(house.spool.folder, 1, 0.5)
    await house.drain(recorded_call(1, days=36_500))
    await house.seal()
    await age(house)
    await recordings.hold(house.con, recording_id(1), HOLD)
    assert (await anonymise_next(house.con, "acme", AFTER), await due(house.con, {"acme": AFTER})) == (0, 0)
    await recordings.release(house.con, recording_id(1), "A. Peeters")
    assert await anonymise_next(house.con, "acme", AFTER) == 1
