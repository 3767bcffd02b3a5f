"""Calls that cannot become records: counted, named by the audit, and tried again; none overwrites another."""

from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import count
from pathlib import Path

import asyncpg
import pytest

from journal import fault, reader
from journal.codec import UnreadableEntry, decode, encode
from journal.entries import ClockStepped, Entry, RecordingStarted
from journal.fault import Failpoint, Fault
from storage.calls import find
from storage.records import CallRecord
from tests.store.calls import NOON, answered_call, call_id, changed, record_of
from tests.store.keeping import house_of
from tests.store.points import ROOT, points_in
from tests.store.sounds import audio_id, voicemail_call
from tests.store.test_audit import findings
from tests.store.test_drainer import drain, kept, records, write
from tests.unit.journals import lay_out
from worker.dead_letters import DeadLetters, try_again
from worker.metrics import WorkerMetrics

LETTER_POINTS = points_in(ROOT / "worker/dead_letters.py")


@pytest.fixture
async def con(database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


async def told(con: asyncpg.Connection) -> list[CallRecord]:
    return [record async for record in find(con)]


@pytest.fixture
async def newer(tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three calls, of which this program could not read the first's beginning and an entry of the second."""
    first, second, third = (answered_call(n) for n in range(3))
    strange = [encode(first[0]), encode(second[5])]

    def older(payload: bytes) -> object:
        if payload in strange:
            raise UnreadableEntry("of a newer version")
        return decode(payload)

    with monkeypatch.context() as patched:
        patched.setattr(reader, "decode", older)
        lay_out(tmp_path / "journal", [encode(entry) for call in (first, second, third) for entry in call])
        await drain(tmp_path / "journal", database)


@pytest.mark.usefixtures("newer")
async def test_what_a_newer_program_reads_becomes_a_record_after_all(con: asyncpg.Connection) -> None:
    assert [record.call_id for record in await told(con)] == [call_id(1), call_id(2)]
    metrics = WorkerMetrics()
    work = DeadLetters("here", metrics)
    assert await work.look(con)
    assert await told(con) == records(range(3))
    assert metrics.dead_letters._value.get() == 0
    assert not await work.look(con)


@pytest.mark.usefixtures("newer")
async def test_what_still_cannot_be_read_stays_and_is_counted(
    con: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(payload: bytes) -> object:
        raise UnreadableEntry("still")

    monkeypatch.setattr(reader, "decode", refuse)
    metrics = WorkerMetrics()
    assert not await DeadLetters("here", metrics).look(con)
    assert metrics.dead_letters._value.get() == 2
    assert await con.fetchval("SELECT count(*) FROM dead_letter") == 2


@pytest.mark.usefixtures("newer")
@pytest.mark.parametrize("name", LETTER_POINTS)
async def test_interrupted_at_any_point_a_dead_letter_becomes_one_record_and_no_other(
    con: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    with monkeypatch.context() as armed:
        armed.setattr(fault, "_armed", Failpoint(name, 1, "raise"))
        armed.setattr(fault, "_passings", count(1))
        with pytest.raises(Fault):
            await try_again(con, "here")
    await try_again(con, "here")
    assert await told(con) == records(range(3))
    assert await con.fetchval("SELECT count(*) FROM dead_letter") == 0


@pytest.mark.usefixtures("newer")
async def test_another_nodes_are_left_to_its_worker(con: asyncpg.Connection) -> None:
    assert await try_again(con, "there") == 0
    assert await con.fetchval("SELECT count(*) FROM dead_letter") == 2


async def test_its_message_is_sealed_and_mailed_then(tmp_path: Path, database: str) -> None:
    nul = [changed(voicemail_call(1)[0], owner="a\0b"), *voicemail_call(1)[1:]]
    await write(tmp_path / "journal", [nul])
    await drain(tmp_path / "journal", database)
    connection = await asyncpg.connect(database)
    try:
        assert await try_again(connection, "here") == 0
        await connection.execute(r"UPDATE dead_letter SET entries = replace(entries, '\u0000', '')")
        assert await try_again(connection, "here") == 1
        assert await connection.fetchval("SELECT message_id FROM message") == audio_id(1)
    finally:
        await connection.close()


async def test_a_correction_that_came_meanwhile_counts(tmp_path: Path, database: str) -> None:
    start, *rest = answered_call(1)
    strange = encode(start).replace(b'"withheld":false', b'"withheld":"perhaps"')
    lay_out(tmp_path / "old", [strange, *map(encode, rest)])
    await drain(tmp_path / "old", database)
    await write(tmp_path / "new", [answered_call(1)])
    await drain(tmp_path / "new", database)
    connection = await asyncpg.connect(database)
    await connection.execute("""UPDATE dead_letter SET entries = replace(entries, '"perhaps"', 'true')""")
    await connection.execute("UPDATE dead_letter SET entries = replace(entries, '+32470111222', '')")
    assert await try_again(connection, "here") == 1
    await connection.close()
    assert await kept(database) == records([1])


@pytest.mark.parametrize(
    "strange",
    [
        ClockStepped(call_id(1), NOON, NOON, 1e300),
        RecordingStarted(call_id(1), NOON, f"{call_id(1)}-rec1", 10**12, "wav"),
    ],
    ids=["a clock that was set by too much", "kept beyond the last year"],
)
async def test_what_cannot_be_computed_keeps_no_other_call_waiting(
    tmp_path: Path, database: str, strange: Entry
) -> None:
    start, *rest = answered_call(1)
    await write(tmp_path / "journal", [answered_call(0), [start, strange, *rest], answered_call(2)])
    await drain(tmp_path / "journal", database)
    assert await kept(database) == records([0, 2])
    async with house_of(database, tmp_path) as house:
        assert await house.con.fetchval("SELECT call_id FROM dead_letter") == call_id(1)
        assert await try_again(house.con, "here") == 0


@pytest.mark.usefixtures("newer")
async def test_the_audit_names_each(tmp_path: Path, database: str) -> None:
    async with house_of(database, tmp_path) as house:
        found = await findings(house)
    assert [finding.partition(" has a dead letter")[0] for finding in found] == [
        f"dead letter: call {call_id(n)}" for n in range(2)
    ]


async def test_another_call_of_the_same_id_overwrites_no_record(tmp_path: Path, database: str) -> None:
    """Asterisk's channel ids come again, when it begins again within the second."""
    late = timedelta(seconds=0.7)
    again = [changed(entry, at=entry.at and entry.at + late) for entry in answered_call(1)]
    await write(tmp_path, [answered_call(0), answered_call(1)])
    await write(tmp_path, [again, answered_call(2)])
    await drain(tmp_path, database)
    assert await kept(database) == records(range(3))
    async with house_of(database, tmp_path) as house:
        row = await house.con.fetchrow("SELECT why, entries FROM dead_letter")
        assert row is not None
        assert "another call" in row["why"]
        assert await try_again(house.con, "here") == 0
    assert record_of(again).began.isoformat().replace("+00:00", "Z") in row["entries"]
