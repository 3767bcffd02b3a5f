"""A database, a journal, a spool and an object store that commit adc1be6 wrote: nothing of them is lost.

How they were made, and what is in them: dumps/adc1be6/README.md.
"""

import json
import shutil
import tomllib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from config.settings import load_settings
from storage.audit import Auditor
from storage.calls import find
from storage.encrypted_store import AudioDestroyed, EncryptedStore
from storage.export import as_object
from storage.key_wrapper import KeyWrapper
from storage.migrate import bring_up_to_date, migrations
from tests.store.calls import call_id
from tests.store.conversations import recording_id
from tests.store.keeping import House, house_of
from tests.store.posting import Transports, message_id, office, own
from tests.store.smtp import mail_server
from tests.store.sounds import audio_id, samples
from tests.store.test_drainer import drain, drained, draining

LEFT = Path(__file__).parent / "dumps" / "adc1be6"
MASTER_KEY = "YSBtYXN0ZXIga2V5IG9mIHRlc3QgZHVtcHMgb25seSE="
# What a later migration renames: tables, and values by table and column.
TABLES = {"public.set_aside": "public.dead_letter"}
VALUES = {("public.attempt", "result", "later"): "deferred"}
# What a row holds of its call, as the journal tells it; the rest is what the worker did afterwards.
TOLD = {
    "public.call": "*",
    "public.leg": "*",
    "public.message": "message_id kind call_id owner number caller withheld began outcome deliver or_missed",
    "public.audio": "audio_id kind call_id owner node began ended how",
    "public.recording": "audio_id format ended keep_seconds",
}
# What later versions know of a call, and adc1be6 did not store. Its tests wrote other evidence than its
# engine: what that wrote is in `demo`.
SINCE = {"connected", "routing", "clock", "sip", "notice", "stored_in"}
OPEN = {call_id(n) for n in (14, 15, 16)}
NOT_DRAINED = {call_id(n) for n in (18, 19)}  # they ended while the worker was stopped

Row = dict[str, Any]
Rows = dict[str, list[Row]]


@pytest.fixture
async def before(bare_database: str) -> str:
    """The URL of the database as adc1be6 left it."""
    con = await asyncpg.connect(bare_database)
    await con.execute((LEFT / "database.sql").read_text())
    await con.close()
    return bare_database


@pytest.fixture
async def house(before: str, tmp_path: Path) -> AsyncIterator[House]:
    """Everything of that node, its database migrated."""
    shutil.copytree(LEFT, tmp_path, dirs_exist_ok=True)
    async with house_of(before, tmp_path, key_wrapper=KeyWrapper(MASTER_KEY)) as found:
        await bring_up_to_date(found.con)
        yield found


async def rows_of(database: str) -> Rows:
    """Every row of every table, by table, in an order of their own."""
    con = await asyncpg.connect(database)
    try:
        tables = await con.fetch(
            "SELECT schemaname || '.' || tablename AS name FROM pg_tables"
            " WHERE schemaname IN ('public', 'keys') AND tablename <> 'migration'"
        )
        rows: Rows = {}
        for (table,) in tables:
            texts = await con.fetch(f"SELECT to_jsonb(t)::text FROM {table} AS t")  # noqa: S608
            rows[table] = in_order([json.loads(text) for (text,) in texts])
        return rows
    finally:
        await con.close()


def in_order(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: json.dumps(row, sort_keys=True))


def only(rows: list[Row], columns: set[str]) -> list[Row]:
    return in_order([{name: value for name, value in row.items() if name in columns} for row in rows])


def renamed(table: str, row: Row) -> Row:
    return {name: VALUES.get((table, name, value), value) if isinstance(value, str) else value
            for name, value in row.items()}  # fmt: skip


async def test_every_row_is_the_same_after_the_migration(before: str) -> None:
    was = await rows_of(before)
    con = await asyncpg.connect(before)
    applied = await bring_up_to_date(con)
    await con.close()
    assert applied == [it.name for it in migrations()][5:]
    rows = await rows_of(before)
    assert len([table for table in was if was[table]]) == 14  # the dump has something of everything
    for table, old in was.items():
        new = rows[TABLES.get(table, table)]
        assert only(new, set(old[0]) if old else set()) == in_order([renamed(table, row) for row in old])


async def test_its_journal_is_drained_from_where_it_stopped(house: House, before: str) -> None:
    versions = "SELECT call_id::text, xmin::text FROM call"
    was = {row["call_id"]: row["xmin"] for row in await house.con.fetch(versions)}
    async with draining(house.folder / "journal", before) as drainer:
        await drained(drainer)
        assert drainer.open_calls == frozenset(OPEN)
    rows = {row["call_id"]: row["xmin"] for row in await house.con.fetch(versions)}
    assert set(rows) - set(was) == NOT_DRAINED
    assert {call: rows[call] for call in was} == was  # none of them was written again


async def test_its_journal_drained_whole_gives_the_same_records(
    house: House, before: str, database: str
) -> None:
    await drain(house.folder / "journal", before)
    await drain(house.folder / "journal", database)
    here, there = await rows_of(before), await rows_of(database)
    for table, told in TOLD.items():
        columns = set(here[table][0]) - SINCE if told == "*" else set(told.split())
        assert only(there[table], columns) == only(here[table], columns)
    (dead,) = there["public.dead_letter"]
    assert dead["call_id"] == call_id(17)


async def test_the_journal_of_a_live_engine_gives_the_records_that_were_listed(
    tmp_path: Path, database: str
) -> None:
    shutil.copytree(LEFT / "demo" / "journal", tmp_path, dirs_exist_ok=True)
    async with draining(tmp_path, database) as drainer:
        await drained(drainer)
        assert len(drainer.open_calls or ()) == 1
    con = await asyncpg.connect(database)
    calls = [as_object(record) async for record in find(con)]
    recordings = {row["audio_id"]: row["evidence"] for row in await con.fetch("TABLE recording")}
    messages = {row["message_id"]: row["kind"] for row in await con.fetch("TABLE message")}
    await con.close()
    assert [listed_before(call) for call in calls] == was_listed("calls")
    assert set(recordings) == {row["recording_id"] for row in was_listed("recordings")}
    assert messages == {row["message_id"]: row["kind"] for row in was_listed("messages")}


def was_listed(what: str) -> list[Row]:
    """What `callengine WHAT --format json` printed."""
    rows: list[Row] = json.loads((LEFT / "demo" / f"{what}.json").read_text())
    return rows


def listed_before(call: Mapping[str, Any]) -> Row:
    """Without the facts that adc1be6 did not list."""
    (first, *_) = was_listed("calls")
    legs = next(row["legs"] for row in was_listed("calls") if row["legs"])
    told = {name: value for name, value in call.items() if name in first}
    return told | {"legs": [{name: leg[name] for name in legs[0]} for leg in call["legs"]]}


async def test_every_stored_sound_is_readable_before_and_after_its_key_is_in_a_group(house: House) -> None:
    stored = [audio_id(n) for n in (5, 8, 9)] + [recording_id(n) for n in (10, 12)]
    for _ in range(2):
        for audio in stored:
            assert await house.encrypted_store.fetch(house.con, audio)
        assert samples(5, 1.2) in await house.encrypted_store.fetch(house.con, audio_id(5))
        await house.rotate()
    assert await house.con.fetchval("SELECT count(*) FROM keys.audio_key WHERE group_id IS NULL") == 0


@pytest.mark.parametrize("audio", [audio_id(6), recording_id(11)], ids=["mailed", "destroyed by an operator"])
async def test_what_it_destroyed_stays_so_and_has_its_tombstone(
    house: House, before: str, audio: str
) -> None:
    with pytest.raises(AudioDestroyed):
        await EncryptedStore(house.store, house.key_wrapper).fetch(house.con, audio)
    await drain(house.folder / "journal", before)
    assert await house.state(audio) == "destroyed"
    auditor = Auditor(house.store, house.spool, read=True, key_wrapper=house.key_wrapper)
    kinds = {finding.kind async for finding in auditor.findings(house.con)}
    assert not kinds & {"chain", "kept", "missing", "orphan"}


async def test_what_it_had_begun_is_finished(house: House, before: str) -> None:
    await drain(house.folder / "journal", before)
    await house.retry()
    await house.seal()
    for audio in (audio_id(7), audio_id(19), recording_id(13)):
        assert await house.encrypted_store.fetch(house.con, audio)
    await house.destroy_now(recording_id(12), recording_id(13))
    assert await house.state(recording_id(12)) == "stored"  # a legal hold
    assert await house.state(recording_id(13)) == "destroyed"


async def test_what_it_had_not_mailed_is_mailed_once(house: House, before: str) -> None:
    await house.con.execute("UPDATE outbox SET next_at = now()")
    async with mail_server() as server:
        domains = ("own.example", "later.example", "acme.example", "refused.example")
        transports = Transports({domain: [own(server)] for domain in domains})
        async with office(before, transports) as it:
            await it.round()
            assert await it.round() == 0
    to = sorted(recipient for mail in server.mails for recipient in mail.recipients)
    assert to == [
        "office5@own.example",
        "office8@later.example",
        "office9@refused.example",
        "office@acme.example",
    ]
    for message in (message_id(4, "missed"), *(message_id(n) for n in (5, 6, 8, 9))):
        assert await house.message(message) in ("accepted", "destroyed")


def test_its_settings_are_read() -> None:
    written = tomllib.loads((LEFT / "callengine.toml").read_text())
    settings = load_settings(LEFT / "callengine.toml")
    assert settings.node == written["node"]
    assert settings.master_key.get_secret_value() == MASTER_KEY
    assert str(settings.asterisk.cel) == written["asterisk"]["cel"]
    assert settings.mail.sender == written["mail"]["sender"]
