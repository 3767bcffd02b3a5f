"""A backup as docs/operating.md makes it: without a key in it, and a database to work with once restored."""

import asyncio
import subprocess
from pathlib import Path

import pytest

from devkit.postgres import binaries
from storage.encrypted_store import AudioDestroyed
from storage.sealing import SealResult
from tests.store.keeping import house_of
from tests.store.sounds import audio_id, record, voicemail_call

GUIDE = Path(__file__).parents[2] / "docs/operating.md"
WITHOUT_KEYS = "--exclude-table-data='keys.*'"
WRAPPED = "SELECT wrapped FROM keys.audio_key UNION ALL SELECT wrapped FROM keys.group_key"
EPOCH_KEY = "SELECT unnest(keys.epoch_key(epoch)) FROM keys.epoch"


def dump(database: str, file: Path) -> None:
    options = [WITHOUT_KEYS.replace("'", ""), "--format=custom", "--dbname", database, "--file", str(file)]
    subprocess.run([binaries() / "pg_dump", *options], check=True, timeout=60)


def plain(file: Path) -> str:
    shown = subprocess.run(
        [binaries() / "pg_restore", "--file=-", file], check=True, capture_output=True, text=True, timeout=60
    )
    return shown.stdout


def restore(database: str, file: Path) -> None:
    subprocess.run([binaries() / "pg_restore", "--dbname", database, file], check=True, timeout=60)


async def test_a_backup_has_no_key_and_a_database_restored_from_it_goes_on(
    database: str, bare_database: str, tmp_path: Path
) -> None:
    assert WITHOUT_KEYS in GUIDE.read_text()
    file = tmp_path / "dump"
    async with house_of(database, tmp_path) as house:
        record(house.spool.folder, 1)
        await house.drain(voicemail_call(1))
        await house.seal()
        await asyncio.to_thread(dump, database, file)
        secrets = [row[0].hex() for row in await house.con.fetch(WRAPPED)]
        secrets += [str(row[0]) for row in await house.con.fetch(EPOCH_KEY)]
    text = await asyncio.to_thread(plain, file)
    assert (audio_id(1) in text, len(secrets)) == (True, 6)
    assert [it for it in secrets if it in text] == []
    await asyncio.to_thread(restore, bare_database, file)
    async with house_of(bare_database, tmp_path, key_wrapper=house.key_wrapper) as after:
        with pytest.raises(AudioDestroyed):
            await after.encrypted_store.fetch(after.con, audio_id(1))
        record(after.spool.folder, 2)
        await after.drain(voicemail_call(2), rev=2)
        assert await after.seal() == [SealResult.STORED]
        await after.encrypted_store.fetch(after.con, audio_id(2))
        await after.destroy_now(audio_id(1), audio_id(2))
        await after.rotate()
        assert await after.con.fetchval("SELECT count(*) FROM keys.residue") == 0
