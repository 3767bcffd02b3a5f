"""The audit finds what should not be, says what to do, and is silent where everything is as it should be."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from storage.audit import Auditor
from storage.key_wrapper import KeyWrapper, new_master_key
from storage.tombstones import Head, verify
from tests.store.keeping import House, house_of
from tests.store.sounds import audio_id, record, voicemail_call

MASTER_KEY = new_master_key()
KEPT, GONE = 1, 2  # one message is stored, another destroyed


@pytest.fixture
async def house(database: str, tmp_path: Path) -> AsyncIterator[House]:
    async with house_of(database, tmp_path, key_wrapper=KeyWrapper(MASTER_KEY)) as found:
        for n in (KEPT, GONE):
            record(found.spool.folder, n)
        await found.drain(voicemail_call(KEPT), voicemail_call(GONE))
        await found.seal()
        await found.accept(audio_id(GONE))
        await found.destroy()
        yield found


async def findings(house: House, noted: Head | None = None, *, read: bool = False) -> list[str]:
    auditor = Auditor(house.store, house.spool, read, house.key_wrapper)
    return [str(finding) async for finding in auditor.findings(house.con, noted)]


async def test_where_everything_is_as_it_should_be_it_finds_nothing(house: House) -> None:
    assert await findings(house, (await verify(house.con)).head, read=True) == []


async def test_just_after_a_rotation_it_finds_nothing_either(house: House) -> None:
    await house.rotate()
    assert await findings(house) == []


async def test_what_is_on_its_way_is_no_finding(house: House) -> None:
    record(house.spool.folder, 3)
    await house.drain(voicemail_call(3))
    record(house.spool.folder, 4)
    await house.store.put(f"message/{audio_id(5)}", b"just put")
    assert await findings(house) == []


Wrong = Callable[[House], Awaitable[object]]


def rotated(change: str) -> Wrong:
    """A rotation, and then this change."""

    async def wrong(house: House) -> None:
        await house.rotate()
        await house.tamper(change)

    return wrong


def sql(text: str) -> Wrong:
    return lambda house: house.tamper(text)


async def wal_is_recycled(house: House) -> None:
    await house.con.execute("SET wal_recycle = on")


async def object_is_back(house: House) -> None:
    await house.store.put(f"message/{audio_id(GONE)}", b"from an old copy")


async def object_is_lost(house: House) -> None:
    await house.store.delete(f"message/{audio_id(KEPT)}")


async def object_is_changed(house: House) -> None:
    (house.folder / "objects" / "message" / audio_id(KEPT)).write_bytes(b"other bytes")


async def object_is_nobodys(house: House) -> None:
    await house.store.put(f"message/{audio_id(9)}", b"whose?")
    os.utime(house.folder / "objects" / "message" / audio_id(9), (0, 0))


async def file_is_back(house: House) -> None:
    record(house.spool.folder, GONE)
    then = time.time() - 600
    os.utime(house.spool.folder / f"{audio_id(GONE)}.wav", (then, then))


async def file_is_nobodys(house: House) -> None:
    record(house.spool.folder, 9)
    os.utime(house.spool.folder / f"{audio_id(9)}.wav", (0, 0))


KEY = "INSERT INTO keys.audio_key VALUES ('{}', 'wrapped')"
UNCLEARED = "UPDATE keys.epoch SET cleared = NULL, began_at = now() - interval '10 minutes'"
BACK = "SELECT setval('keys.odd_3', 4711)"
UNWRITTEN = "UPDATE keys.epoch SET cleared = 'FF/0', began_at = now() - interval '40 minutes'"
OLD = "UPDATE keys.epoch SET wal = pg_current_wal_lsn(), began_at = now() - interval '40 minutes'"
GROUPLESS = "INSERT INTO keys.residue (master_id) VALUES ('oldo'::bytea)"
BROKEN_GROUP = "UPDATE keys.group_key SET wrapped = set_byte(wrapped, 40, get_byte(wrapped, 40) # 1)"
OVERDUE = "UPDATE audio SET destroy_after = now() - interval '10 minutes' WHERE state = 'stored'"
WAITING = """
UPDATE audio SET state = 'recorded', noted_at = now() - interval '10 minutes' WHERE state = 'stored'
"""
ENDLESS = "UPDATE message SET state = 'accepted', noted_at = now() - interval '10 minutes'"


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (sql("UPDATE tombstone SET owner = 'other'"), f"chain: line 1 ({audio_id(GONE)}) was changed"),
        (sql("DELETE FROM tombstone"), f"chain: {audio_id(GONE)} is marked as destroyed, but has no"),
        (
            sql("UPDATE audio SET state = 'stored' WHERE state = 'destroyed'"),
            f"chain: {audio_id(GONE)} has a tombstone, but is not marked as destroyed",
        ),
        (sql(KEY.format(audio_id(GONE))), f"kept: the key of {audio_id(GONE)} exists"),
        (sql("DELETE FROM keys.audio_key"), f"missing: the key of {audio_id(KEPT)} is missing"),
        (sql(OVERDUE), f"overdue: {audio_id(KEPT)} should have been destroyed"),
        (sql(WAITING), f"waiting: {audio_id(KEPT)} is not stored yet"),
        (sql(ENDLESS), f"endless: {audio_id(KEPT)} is kept with no deadline"),
        (
            sql("UPDATE keys.residue SET since = now() - interval '2 hours'"),
            "residue: after an hour destroyed keys (1) can still be read",
        ),
        (rotated(UNCLEARED), "residue: the key of epoch 1 is over, and has not been overwritten"),
        (rotated(BACK), "residue: the key of epoch 1 is marked as overwritten, but exists"),
        (rotated(UNWRITTEN), "residue: the key of epoch 1 is overwritten, but not in the file"),
        (rotated(OLD), "residue: WAL file 0000"),
        (sql(GROUPLESS), "residue: keys that an earlier version wrapped by master key 6f6c646f alone"),
        (wal_is_recycled, "residue: wal_recycle is on"),
        (sql(BROKEN_GROUP), "missing: keys do not open"),
        (object_is_back, f"kept: object message/{audio_id(GONE)} exists, but is marked as destroyed"),
        (object_is_lost, f"missing: object message/{audio_id(KEPT)} is missing"),
        (object_is_nobodys, f"orphan: object message/{audio_id(9)} belongs to no audio"),
        (file_is_back, f"kept: {audio_id(GONE)} is still in the spool"),
        (file_is_nobodys, f"orphan: {audio_id(9)} in the spool belongs to no call"),
    ],
)
async def test_what_is_wrong_is_found_with_its_remedy(house: House, wrong: Wrong, told: str) -> None:
    await wrong(house)
    found = await findings(house)
    assert any(finding.startswith(told) for finding in found), found
    assert all("; " in finding for finding in found)


async def test_that_an_object_was_changed_is_found_by_reading_it(house: House) -> None:
    await object_is_changed(house)
    assert await findings(house) == []
    (found,) = await findings(house, read=True)
    assert found.startswith(f"missing: object message/{audio_id(KEPT)} has other bytes than were stored")


async def test_that_the_chain_was_cut_is_found_by_a_head_that_was_noted(house: House) -> None:
    noted = (await verify(house.con)).head
    await house.tamper("DELETE FROM tombstone")
    assert "it does not pass through" in (await findings(house, noted))[0]


def audited(house: House, database: str, *options: str) -> "subprocess.CompletedProcess[str]":
    settings = {
        "CALLENGINE_STATE": str(house.folder),
        "CALLENGINE_DATABASE": database,
        "CALLENGINE_MASTER_KEY": MASTER_KEY,
        "CALLENGINE_ASTERISK__RECORDINGS": str(house.spool.folder),
    }
    command = [sys.executable, "-m", "cli", "audit", *options]
    return subprocess.run(
        command, env=os.environ | settings, capture_output=True, text=True, check=False, timeout=60
    )


async def test_the_command_ends_with_the_chains_head_and_takes_it_back(house: House, database: str) -> None:
    shown = await asyncio.to_thread(audited, house, database)
    head = str((await verify(house.con)).head)
    assert (shown.returncode, shown.stdout) == (0, f"no findings; the chain's head is\n{head}\n")
    again = await asyncio.to_thread(audited, house, database, "--head", head, "--read")
    assert again.returncode == 0
    await house.tamper("DELETE FROM tombstone")
    cut = await asyncio.to_thread(audited, house, database, "--head", head)
    assert cut.returncode == 1
    assert "2 findings" in cut.stdout


async def test_the_command_says_what_it_could_not_look_at(house: House, database: str) -> None:
    house.spool.folder.rmdir()
    shown = await asyncio.to_thread(audited, house, database)
    assert (shown.returncode, "asterisk.recordings" in shown.stderr) == (1, True)
    elsewhere = await asyncio.to_thread(audited, house, database, "--no-spool")
    assert elsewhere.returncode == 0
    wrong = await asyncio.to_thread(audited, house, database, "--head", "12:abc")
    assert "is not a head of the chain" in wrong.stderr
