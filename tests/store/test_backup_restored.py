"""callengine backup and restore: what must live comes back, what was destroyed since does not."""

import asyncio
import signal
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest
from click.testing import CliRunner, Result

from cli.__main__ import main
from storage import grants, recordings
from storage.audit import Auditor
from storage.backup.contents import LEFT_OUT, TABLES
from storage.backup.since import Publisher
from storage.calls import find
from storage.encrypted_store import AudioDestroyed
from storage.key_wrapper import KeyWrapper, new_master_key
from tests.store.conversations import recording_id
from tests.store.keeping import House, house_of
from tests.store.points import stretch
from tests.store.sounds import audio_id, record, voicemail_call
from tests.store.stored_recordings import WHY, store
from tests.store.worker_process import until, working
from tests.tiers import mostly_heavy

KEPT, DESTROYED, HELD, HELD_LATER, LATER = 1, 2, 3, 4, 5
MESSAGE, MAILED = 11, 12  # one is in the outbox, the other is mailed after the backup
OF_BACKUPS = stretch("backup")
WRAPPED = "SELECT wrapped FROM keys.audio_key UNION ALL SELECT wrapped FROM keys.group_key"


@dataclass
class Place:
    """A house with a backup's file, the settings of its commands, and an empty database."""

    house: House
    told: dict[str, str]
    empty: str
    file: Path

    async def run(self, *arguments: str, **told: str) -> Result:
        run = CliRunner(env={**self.told, **told}).invoke
        return await asyncio.to_thread(run, main, [str(argument) for argument in arguments])

    async def back_up(self, *options: str) -> Result:
        return await self.run("backup", "--out", str(self.file), *options)

    async def restore(self, *options: str, **told: str) -> Result:
        return await self.run("restore", str(self.file), *options, CALLENGINE_DATABASE=self.empty, **told)

    async def publish(self) -> None:
        """As the worker does every minute."""
        while await Publisher(self.house.store, self.house.key_wrapper).publish_next(self.house.con):
            pass


@pytest.fixture
async def place(database: str, bare_database: str, tmp_path: Path) -> AsyncIterator[Place]:
    key = new_master_key()
    told = {
        "CALLENGINE_NODE": "here",
        "CALLENGINE_STATE": str(tmp_path),
        "CALLENGINE_DATABASE": database,
        "CALLENGINE_MASTER_KEY": key,
        "CALLENGINE_HTTP__WORKER_PORT": "0",
        "CALLENGINE_ASTERISK__RECORDINGS": str(tmp_path / "spool"),
    }
    async with house_of(database, tmp_path, key_wrapper=KeyWrapper(key)) as house:
        await store(house, KEPT, DESTROYED, HELD, HELD_LATER)
        await recordings.hold(house.con, recording_id(HELD), WHY)
        for n in (MESSAGE, MAILED):
            record(house.spool.folder, n)
        await house.drain(voicemail_call(MESSAGE), voicemail_call(MAILED), rev=10)
        await house.seal()
        yield Place(house, told, bare_database, tmp_path / "of-today.backup")


async def go_on(place: Place) -> None:
    """After the backup one is destroyed, one held, one mailed, and one comes new and is destroyed."""
    house = place.house
    await store(house, LATER)
    await recordings.hold(house.con, recording_id(HELD_LATER), WHY)
    await house.accept(audio_id(MAILED))
    await house.destroy_now(recording_id(DESTROYED), recording_id(LATER))
    await house.rotate()


async def findings(house: House) -> list[str]:
    auditor = Auditor(house.store, house.spool, read=True, key_wrapper=house.key_wrapper)
    return [str(finding) async for finding in auditor.findings(house.con)]


async def records(con: asyncpg.Connection) -> list[object]:
    return [it async for it in find(con)]


async def test_what_must_live_is_heard_again_and_what_was_destroyed_since_is_not(place: Place) -> None:
    house = place.house
    heard = await house.encrypted_store.fetch(house.con, recording_id(KEPT))
    before = await records(house.con)
    assert (await place.back_up()).exit_code == 0
    await go_on(place)
    await place.publish()
    done = await place.restore()
    assert done.exit_code == 0, done.output
    assert "6 call records and 4 keys restored; 3 messages and recordings were destroyed since" in done.output
    async with house_of(place.empty, house.folder, key_wrapper=house.key_wrapper) as after:
        assert await findings(after) == []
        assert await records(after.con) == before
        assert await after.encrypted_store.fetch(after.con, recording_id(KEPT)) == heard
        for gone in (recording_id(DESTROYED), recording_id(LATER), audio_id(MAILED)):
            assert await after.state(gone) == "destroyed"
            with pytest.raises(AudioDestroyed):
                await after.encrypted_store.fetch(after.con, gone)
        assert await after.message(audio_id(MAILED)) == "destroyed"
        await after.destroy_now(*(recording_id(n) for n in (HELD, HELD_LATER)))
        assert {await after.state(recording_id(n)) for n in (HELD, HELD_LATER)} == {"stored"}
        await recordings.release(after.con, recording_id(HELD_LATER), "C. Claes")
        assert await after.destroy() == 1
        await after.rotate()
        assert await findings(after) == []
        await store(after, 21)
        await after.encrypted_store.fetch(after.con, recording_id(21))


async def test_nothing_is_mailed_again_that_was_delivered_since(place: Place) -> None:
    await place.back_up()
    await go_on(place)
    await place.publish()
    await place.restore()
    due = "SELECT message_id FROM outbox WHERE accepted_at IS NULL AND refused_at IS NULL"
    async with house_of(place.empty, place.house.folder) as after:
        assert [row[0] for row in await after.con.fetch(due)] == [audio_id(MESSAGE)]


async def test_the_file_has_no_key_and_opens_nothing_once_it_is_revoked(place: Place) -> None:
    house = place.house
    await house.destroy_now(recording_id(DESTROYED))
    assert (await place.back_up()).exit_code == 0
    assert place.file.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(place.file) as archive:
        text = b"\n".join(archive.read(name) for name in archive.namelist())
    secrets = [row[0].hex().encode() for row in await house.con.fetch(WRAPPED)]
    assert [it for it in secrets if it in text] == []
    keys = archive_keys(place.file)
    assert recording_id(DESTROYED) not in keys
    assert recording_id(KEPT) in keys
    newer = await place.run("backup", "--out", str(place.house.folder), "--keep", "1")
    assert "revoked backup" in newer.output
    refused = await place.restore()
    assert (refused.exit_code, "a newer backup has revoked this one" in refused.output) == (1, True)
    assert (await place.restore("--without-audio")).exit_code == 0
    async with house_of(place.empty, house.folder, key_wrapper=house.key_wrapper) as after:
        assert len(await records(after.con)) == 6
        assert any("the key of" in finding for finding in await findings(after))


def archive_keys(file: Path) -> str:
    with zipfile.ZipFile(file) as archive:
        return archive.read("keys.jsonl").decode()


def test_no_table_is_forgotten() -> None:
    assert {f"public.{name}" for name in {*TABLES, *LEFT_OUT}} == {
        name for name in {*grants.WORKER, *grants.PORTAL} if name.startswith("public.")
    }


async def other_key(place: Place) -> dict[str, str]:
    return {"CALLENGINE_MASTER_KEY": new_master_key()}


async def changed_table(place: Place) -> dict[str, str]:
    rewrite(place.file, "call.copy", lambda text: text.replace(b"acme", b"evil"))
    return {}


async def changed_manifest(place: Place) -> dict[str, str]:
    rewrite(place.file, "manifest.json", lambda text: text.replace(b'"here"', b'"there"'))
    return {}


async def cut_file(place: Place) -> dict[str, str]:
    place.file.write_bytes(place.file.read_bytes()[:-100])
    return {}


async def lost_piece(place: Place) -> dict[str, str]:
    """Of two pieces with what was destroyed since, the first is lost."""
    for n in (DESTROYED, KEPT):
        await place.house.destroy_now(recording_id(n))
        await place.publish()
    first = min(
        (await pieces(place)), key=lambda name: (place.house.folder / "objects" / name).stat().st_mtime_ns
    )
    await place.house.store.delete(first)
    return {}


async def used_database(place: Place) -> dict[str, str]:
    await place.run("migrate", CALLENGINE_DATABASE=place.empty)
    return {}


async def pieces(place: Place) -> list[str]:
    return [it.name async for it in place.house.store.all("backup/") if not it.name.endswith("/key")]


def rewrite(file: Path, name: str, change: Callable[[bytes], bytes]) -> None:
    with zipfile.ZipFile(file) as archive:
        members = {each: archive.read(each) for each in archive.namelist()}
    with zipfile.ZipFile(file, "w") as archive:
        for each, text in members.items():
            archive.writestr(each, change(text) if each == name else text)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (other_key, "which is not configured"),
        (changed_table, "call.copy in it is not what was written"),
        (changed_manifest, "its manifest has been changed"),
        (cut_file, "it is not a backup of callengine, or not a whole one"),
        (lost_piece, "what was destroyed since the backup is not complete in the object store"),
        (used_database, "create an empty one"),
    ],
)
async def test_what_cannot_be_restored_is_refused_and_leaves_nothing(
    place: Place, wrong: Callable[[Place], Awaitable[dict[str, str]]], why: str
) -> None:
    assert (await place.back_up()).exit_code == 0
    told = await wrong(place)
    done = await place.restore(**told)
    assert (done.exit_code, why in done.output) == (1, True), done.output
    con = await asyncpg.connect(place.empty)
    tables = await con.fetchval("SELECT to_regclass('call') IS NOT NULL")
    assert bool(tables) is (wrong is used_database)
    await con.close()


async def test_an_older_copy_of_the_database_is_a_finding(place: Place, tmp_path: Path) -> None:
    """As when a database is restored by other means: what was destroyed since would live again."""
    house = place.house
    await place.back_up()
    await go_on(place)
    await place.publish()
    assert await findings(house) == []
    await house.tamper(
        "DELETE FROM tombstone WHERE seq > 1; UPDATE audio SET state = 'stored' WHERE state = 'destroyed'"
    )
    assert any("this database is an older copy" in finding for finding in await findings(house))


async def test_a_master_key_that_was_dropped_too_early_is_a_finding(place: Place) -> None:
    new = new_master_key()
    kept = await place.run("audit", CALLENGINE_MASTER_KEY=f"{new},{place.told['CALLENGINE_MASTER_KEY']}")
    assert "keys do not open" not in kept.output
    dropped = await place.run("audit", CALLENGINE_MASTER_KEY=new)
    assert (dropped.exit_code, "keys do not open" in dropped.output) == (1, True)
    lost = await place.run("audit", CALLENGINE_MASTER_KEY="")
    assert (lost.exit_code, "no master_key is configured" in lost.output) == (1, True)


@pytest.mark.parametrize("failpoint", mostly_heavy(OF_BACKUPS, 1))
async def test_a_worker_that_is_killed_while_it_publishes_is_continued_by_the_next(
    place: Place, failpoint: str
) -> None:
    await place.back_up()
    await go_on(place)
    with working(place.told, place.house.folder / "log", failpoint) as worker:
        await asyncio.to_thread(worker.join, 30)
    assert worker.exitcode == -signal.SIGKILL
    with working(place.told, place.house.folder / "log"):
        await until(place_is_published(place), "published")
    done = await place.restore()
    assert "3 messages and recordings were destroyed since" in done.output, done.output


def place_is_published(place: Place) -> Callable[[], Awaitable[bool]]:
    behind = "SELECT EXISTS (SELECT FROM backup WHERE published < (SELECT max(seq) FROM tombstone))"

    async def is_published() -> bool:
        return not await place.house.con.fetchval(behind)

    return is_published
