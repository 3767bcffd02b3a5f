"""A caller erased after a backup: its restore erases them again, and the audit knows if nobody did."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest
from click.testing import CliRunner

from cli.__main__ import main
from storage import erasure_request, recordings
from storage.audit import Auditor
from storage.backup import erasures
from storage.erased_number import NumberKeys
from storage.key_wrapper import KeyWrapper, new_master_key
from tests.store.calls import answered_call
from tests.store.conversations import record_talk, recorded_call, recording_id
from tests.store.keeping import House, house_of
from tests.store.sounds import audio_id, record, voicemail_call
from tests.store.stored_recordings import WHY
from tests.store.worker_process import until, working

CALLER, OTHER, NATIONAL = "+32470900017", "+32470111222", "0470900017"
HAVE = "SELECT count(*) FROM {} WHERE caller IN ('+32470900017', '0470900017')"


@dataclass
class Place:
    """A node whose database is backed up and lost. `told`: its settings. `empty`: the next database."""

    house: House
    told: dict[str, str]
    empty: str

    @property
    def keys(self) -> NumberKeys:
        return NumberKeys.of(self.told["CALLENGINE_MASTER_KEY"])

    def file(self, name: str) -> Path:
        return self.house.folder / f"{name}.backup"

    async def run(self, *arguments: str, **told: str) -> str:
        run = CliRunner(env={**self.told, **told}).invoke
        done = await asyncio.to_thread(run, main, list(arguments))
        assert done.exit_code == 0, done.output
        return done.output

    async def back_up(self, name: str, keep: int = 2) -> None:
        await self.run("backup", "--out", str(self.file(name)), "--keep", str(keep))

    async def restore(self, name: str, *options: str, **told: str) -> str:
        return await self.run(
            "restore", str(self.file(name)), *options, CALLENGINE_DATABASE=self.empty, **told
        )

    async def forget(self, number: str = CALLER) -> None:
        con, keys = self.house.con, self.keys
        await erasure_request.ask(con, keys.hash(number), keys.seal(number), "request 17")

    async def publish(self) -> None:
        """As the worker does every minute."""
        while await erasures.publish_next(self.house.con, self.house.store, self.house.key_wrapper):
            pass

    async def findings(self, con: asyncpg.Connection, *kinds: str) -> list[str]:
        auditor = Auditor(self.house.store, self.house.spool, False, self.house.key_wrapper, self.keys)
        kinds = kinds or ("erasure",)
        return [str(finding) async for finding in auditor.findings(con) if finding.kind in kinds]


@pytest.fixture
async def place(database: str, bare_database: str, tmp_path: Path) -> AsyncIterator[Place]:
    told = {
        "CALLENGINE_NODE": "here",
        "CALLENGINE_STATE": str(tmp_path),
        "CALLENGINE_DATABASE": database,
        "CALLENGINE_MASTER_KEY": new_master_key(),
        "CALLENGINE_KEY_ROTATION_MINUTES": "0",
        "CALLENGINE_COUNTRY": "32",
        "CALLENGINE_HTTP__WORKER_PORT": "0",
        "CALLENGINE_ASTERISK__RECORDINGS": str(tmp_path / "spool"),
    }
    key = KeyWrapper(told["CALLENGINE_MASTER_KEY"])
    async with house_of(database, tmp_path, key_wrapper=key) as house:
        record(house.spool.folder, 1)
        record_talk(house.spool.folder, 2, 0.5)
        await house.drain(
            voicemail_call(1, caller=CALLER),
            recorded_call(2, days=36_500, caller=CALLER),
            answered_call(3, caller=NATIONAL),
            answered_call(4, caller=OTHER),
        )
        await house.seal()
        yield Place(house, told, bare_database)


async def test_the_caller_is_not_back_when_the_workers_have_seen_to_the_restored_database(
    place: Place,
) -> None:
    await place.back_up("older")
    await place.forget()
    await place.publish()
    shown = await place.restore("older")
    assert "1 callers were erased since the backup: the workers erase them again" in shown
    async with house_of(place.empty, place.house.folder) as after:
        assert await after.con.fetchval(HAVE.format("call")) == 3
        assert await place.findings(after.con) == []
        with working({**place.told, "CALLENGINE_DATABASE": place.empty}, place.house.folder / "log"):
            await until(lambda: is_certified(after.con), "the erasure is certified")
        for table in ("call", "message"):
            assert await after.con.fetchval(HAVE.format(table)) == 0
        assert {await after.state(it) for it in (recording_id(2), audio_id(1))} == {"destroyed"}
        assert await after.con.fetchval("SELECT count(*) FROM call WHERE caller = $1", OTHER) == 1
        assert await place.findings(after.con) == []


async def is_certified(con: asyncpg.Connection) -> bool:
    await con.execute("CHECKPOINT")
    return bool(await con.fetchval("SELECT count(*) FROM erasure_certificate"))


async def test_a_file_that_a_newer_backup_has_revoked_brings_no_erased_caller_back_either(
    place: Place,
) -> None:
    """Its keys and what was destroyed since it are gone from the object store; erasures stay."""
    await place.back_up("older")
    await place.forget()
    await place.publish()
    await place.back_up("newer", keep=1)
    shown = await place.restore("older", "--without-audio")
    assert "1 callers were erased since the backup" in shown
    async with house_of(place.empty, place.house.folder) as after:
        assert await after.con.fetchval("SELECT count(*) FROM erasure WHERE finished_at IS NULL") == 1


async def test_calls_after_the_erasure_and_callers_who_were_never_erased_are_left_alone(place: Place) -> None:
    await place.house.con.execute(
        "UPDATE call SET began = now() + interval '1 hour' WHERE caller <> $1", OTHER
    )
    await place.house.con.execute("UPDATE message SET began = now() + interval '1 hour'")
    await place.back_up("older")
    await place.forget()
    await place.forget("+32470999999")
    await place.publish()
    assert "0 callers were erased since" in await place.restore("older")


async def test_the_last_of_two_erasures_of_a_caller_counts(place: Place) -> None:
    await place.back_up("older")
    await place.forget()
    await place.publish()
    await place.forget()
    await place.publish()
    until_then = await place.house.con.fetchval("SELECT until FROM erasure")
    await place.restore("older")
    async with house_of(place.empty, place.house.folder) as after:
        assert await after.con.fetchval("SELECT until FROM erasure") == until_then


async def test_a_recording_under_a_hold_keeps_its_number_until_the_hold_ends(place: Place) -> None:
    await recordings.hold(place.house.con, recording_id(2), WHY)
    await place.back_up("older")
    await place.forget()
    await place.publish()
    await place.restore("older")
    async with house_of(place.empty, place.house.folder) as after:
        with working({**place.told, "CALLENGINE_DATABASE": place.empty}, place.house.folder / "log"):
            await until(lambda: is_certified(after.con), "the erasure is certified")
        assert await after.con.fetchval("SELECT held FROM erasure_certificate") == [recording_id(2)]
        assert await after.con.fetchval(HAVE.format("call")) == 1
        assert await place.findings(after.con) == []


async def test_without_object_store_or_with_another_master_key_the_command_says_what_to_repeat(
    place: Place,
) -> None:
    await place.back_up("older")
    await place.forget()
    await place.publish()
    other = await place.restore("older", "--without-audio", CALLENGINE_MASTER_KEY=new_master_key())
    assert "1 erasures are of a master key that is not configured; erase those again" in other
    await drop_everything(place.empty)
    none = await place.restore("older", "--without-audio", CALLENGINE_MASTER_KEY="")
    assert "nobody knows who was erased since the backup; erase those again" in none


async def drop_everything(database: str) -> None:
    con = await asyncpg.connect(database)
    await con.execute("DROP SCHEMA keys CASCADE; DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    await con.close()


async def test_the_audit_finds_a_number_that_came_back_by_another_way(place: Place) -> None:
    """As with a copy of the database that was restored without callengine restore: it knows of no erasure."""
    await place.forget()
    await place.publish()
    assert await place.findings(place.house.con) == []
    await place.house.con.execute("DELETE FROM erased_journal; DELETE FROM erasure")
    (finding,) = await place.findings(place.house.con)
    assert "(request 17) is in a record of before" in finding
    assert CALLER.removeprefix("+32") not in finding


async def test_an_erasure_that_nobody_publishes_is_a_finding(place: Place) -> None:
    await place.forget()
    await place.house.con.execute("UPDATE erasure SET asked_at = now() - interval '11 minutes'")
    (finding,) = await place.findings(place.house.con, "backup")
    assert "erasure 1 is not in the object store" in finding
    await place.publish()
    assert await place.findings(place.house.con, "backup") == []


async def test_what_is_published_has_no_number(place: Place) -> None:
    await place.forget()
    await place.publish()
    (stored,) = [it async for it in place.house.store.all(erasures.PREFIX)]
    opened = place.house.key_wrapper.unwrap(await place.house.store.get(stored.name), stored.name)
    assert b"request 17" in opened
    assert b"470900017" not in opened
