"""Call records are destroyed when their owner's period is over, with their legs; a hold and open work win."""

import time
from collections.abc import AsyncIterator
from datetime import date, timedelta
from pathlib import Path

import asyncpg
import pytest

from storage import recordings, retentions
from storage.audit import Auditor
from storage.record_retention import BATCH, destroy_next, due
from storage.recordings import Hold
from storage.retentions import Retention
from tests.store.calls import answered_call, call_id
from tests.store.conversations import record_talk, recorded_call, recording_id
from tests.store.keeping import House, house_of
from tests.store.points import stretch
from tests.store.sounds import audio_id, record, voicemail_call
from tests.store.test_anonymising import age, is_dead, told_of
from tests.store.worker_process import until, working
from tests.tiers import first_light
from worker.metrics import WorkerMetrics
from worker.owners_in_force import OwnersInForce
from worker.record_retention import RecordRetention
from worker.trusted_time import TrustedTime

DAY = timedelta(days=1)
YEAR = 400 * DAY
HOLD = Hold("a dispute", "court 12/2026", "A. Peeters", "B. Janssens", date(2999, 1, 1))
LEFT = "SELECT (SELECT count(*) FROM call), (SELECT count(*) FROM leg), (SELECT count(*) FROM message)"


@pytest.fixture
async def house(database: str, tmp_path: Path) -> AsyncIterator[House]:
    async with house_of(database, tmp_path) as found:
        yield found


async def keep(house: House, node: str = "here", **days: int | None) -> None:
    """Each owner's `keep_records`; None: as the settings say."""
    periods = {owner: Retention(30 * DAY, None if n is None else n * DAY) for owner, n in days.items()}
    await retentions.store(house.con, node, periods)


async def left(house: House) -> tuple[int, ...]:
    """How many calls, legs and messages there are."""
    row = await house.con.fetchrow(LEFT)
    assert row is not None
    return tuple(row)


async def age_all(house: House, days: int) -> None:
    """As if every call had come in so many days ago."""
    for table in ("call", "message"):
        await house.con.execute(f"UPDATE {table} SET began = now() - {days} * interval '1 day'")  # noqa: S608


async def test_a_record_goes_with_its_legs_when_its_owners_period_is_over_and_not_before(
    house: House,
) -> None:
    await house.drain(answered_call(1), answered_call(2, owner="taxi"))
    await keep(house, acme=40, taxi=50)
    await age_all(house, 39)
    assert (await destroy_next(house.con, None), await due(house.con, None)) == ({}, 0)
    await age_all(house, 41)
    assert await due(house.con, None) == 1
    assert await destroy_next(house.con, None) == {"acme": 1}
    assert (await destroy_next(house.con, None), await due(house.con, None)) == ({}, 0)
    assert await left(house) == (1, 2, 0)
    line = await house.con.fetchrow("SELECT what, audio_id, owner, detail FROM access")
    assert line is not None
    assert tuple(line) == ("destroy", None, "acme", "call records older than 40 days, by the worker")


async def test_the_settings_decide_for_owners_without_a_period_and_unset_means_for_ever(house: House) -> None:
    await house.drain(answered_call(1), answered_call(2, owner="taxi"))
    await keep(house, acme=None, taxi=500)
    await age_all(house, 450)
    assert await destroy_next(house.con, None) == {}
    assert await destroy_next(house.con, YEAR) == {"acme": 1}
    assert await left(house) == (1, 2, 0)


async def test_an_owner_whose_file_is_gone_keeps_the_period_and_an_unknown_one_is_left_alone(
    house: House,
) -> None:
    await house.drain(answered_call(1), answered_call(2, owner="of-another-node"))
    await keep(house, acme=40)
    await keep(house, taxi=40)  # the folder has another owner now
    await age_all(house, 450)
    assert await destroy_next(house.con, YEAR) == {"acme": 1}


async def test_of_two_nodes_the_longer_period_counts(house: House) -> None:
    await house.drain(answered_call(1))
    await keep(house, acme=40)
    await keep(house, "there", acme=60)
    await age_all(house, 50)
    assert await destroy_next(house.con, None) == {}
    await age_all(house, 61)
    assert await destroy_next(house.con, None) == {"acme": 1}


async def test_audio_that_lives_and_a_legal_hold_keep_the_record(house: House) -> None:
    record_talk(house.spool.folder, 1, 0.5)
    await house.drain(recorded_call(1, days=36_500))
    await house.seal()
    await keep(house, acme=30)
    await age_all(house, 31)
    assert await destroy_next(house.con, None) == {}
    await recordings.hold(house.con, recording_id(1), HOLD)
    await house.destroy_now(recording_id(1))
    assert (await destroy_next(house.con, None), await due(house.con, None)) == ({}, 0)
    await recordings.release(house.con, recording_id(1), "C. Claes")
    await house.destroy_now(recording_id(1))
    assert await destroy_next(house.con, None) == {"acme": 1}
    assert await left(house) == (0, 0, 0)
    assert [str(it) async for it in Auditor(house.store, house.spool).findings(house.con)] == []


async def test_a_messages_row_and_mails_go_with_the_record_once_its_mail_is_settled(house: House) -> None:
    record(house.spool.folder, 1)
    await house.drain(voicemail_call(1))
    await house.seal()
    await keep(house, acme=30)
    await age_all(house, 31)
    await house.con.execute(
        "INSERT INTO attempt (message_id, recipient, n, result) VALUES ($1, 'a@acme.example', 1, 'accepted')",
        audio_id(1),
    )
    await house.destroy_now(audio_id(1))
    assert await destroy_next(house.con, None) == {}, "its mail is in the outbox"
    await house.con.execute("UPDATE outbox SET refused_at = now()")
    assert await destroy_next(house.con, None) == {"acme": 1}
    for table in ("call", "message", "outbox", "attempt"):
        assert await house.con.fetchval(f"SELECT count(*) FROM {table}") == 0  # noqa: S608
    assert "0470" not in await house.dump()


async def test_the_period_may_be_shorter_than_that_of_anonymising(house: House) -> None:
    """Then nothing is left to anonymise; the other way round, an anonymised record is destroyed later."""
    await house.drain(answered_call(1))
    await keep(house, acme=30)
    await age_all(house, 31)
    await house.con.execute("UPDATE call SET anonymised_at = now(), caller = '+32470'")
    assert await destroy_next(house.con, None) == {"acme": 1}


async def test_many_records_are_destroyed_in_batches(house: House) -> None:
    await house.drain(*(answered_call(n) for n in range(BATCH + 10)))
    await keep(house, acme=30)
    await age_all(house, 31)
    counts = [(await destroy_next(house.con, None)).total() for _ in range(3)]
    assert counts == [BATCH, 10, 0]
    assert await house.con.fetchval("SELECT count(*) FROM access") == 1


async def test_the_workers_role_can_destroy_old_records_and_no_young_one(
    roles: dict[str, str], tmp_path: Path
) -> None:
    async with house_of(roles["worker"], tmp_path) as house:
        await house.drain(answered_call(1), answered_call(2))
        await house.con.execute("UPDATE call SET began = now() - interval '29 days'")
        await house.con.execute(
            "UPDATE call SET began = now() - interval '31 days' WHERE call_id = $1", call_id(1)
        )
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await house.con.execute("DELETE FROM call")
        both = [call_id(1), call_id(2)]
        assert await house.con.fetchval("SELECT destroy_records($1)", both) == 1
        assert await house.con.fetchval("SELECT call_id::text FROM call") == call_id(2)
        await keep(house, acme=30)
        await age_all(house, 31)
        assert await destroy_next(house.con, None) == {"acme": 1}


@pytest.mark.parametrize("name", first_light(*stretch("records")))
async def test_killed_at_a_point_the_next_worker_does_the_rest(
    house: House, database: str, name: str
) -> None:
    told = told_of(house, database, {"acme.yaml": "name: ACME\nkeep_records: 30 days\n"})
    await house.drain(*(answered_call(n) for n in range(BATCH + 1)))
    await age(house, 31)
    with working(told, house.folder / "log", name) as worker:
        await until(lambda: is_dead(worker), f"killed at {name}")
    with working(told, house.folder / "log"):
        await until(lambda: nothing_left(house), "all are destroyed")


async def nothing_left(house: House) -> bool:
    return await left(house) == (0, 0, 0)


async def test_a_worker_that_does_not_know_the_owners_yet_destroys_nothing(
    house: House, database: str
) -> None:
    await house.drain(answered_call(1))
    await keep(house, acme=None)
    await age_all(house, 500)
    owners = OwnersInForce(house.folder / "routing-versions" / "in-force")
    trusted = TrustedTime(house.folder / "trusted-clock.json")
    job = RecordRetention("here", owners, YEAR, WorkerMetrics(), trusted)
    assert not await job.look(house.con)
    assert await left(house) == (1, 2, 0)
    told_of(house, database, {"acme.yaml": "name: ACME\n"})
    assert await job.look(house.con)
    assert await left(house) == (0, 0, 0)


async def test_after_the_clock_was_set_forward_nothing_is_destroyed(house: House, database: str) -> None:
    await house.drain(answered_call(1))
    await keep(house, acme=None)
    await age_all(house, 500)
    told_of(house, database, {"acme.yaml": "name: ACME\n"})
    ahead = 0
    trusted = TrustedTime(house.folder / "trusted-clock.json", wall=lambda: time.time_ns() + ahead)
    owners = OwnersInForce(house.folder / "routing-versions" / "in-force")
    job = RecordRetention("here", owners, YEAR, WorkerMetrics(), trusted)
    ahead = 86_400 * 10**9
    assert not await job.look(house.con)
    assert await left(house) == (1, 2, 0)
    ahead = 0
    assert await job.look(house.con)
    assert await left(house) == (0, 0, 0)
