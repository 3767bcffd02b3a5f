"""Positions belong to a journal, not to a node's name: one made anew, restored, or of another host."""

import asyncio
import shutil
import time
from pathlib import Path

import asyncpg
import pytest

from journal.identity import identity
from journal.segment import segments
from storage.key_wrapper import new_master_key
from storage.nodes import NodeTaken
from tests.lateness import PATIENCE
from tests.store.calls import answered_call
from tests.store.sounds import audio_id, record, voicemail_call
from tests.store.test_drainer import ask, drain, drained, draining, kept, records, until, write
from tests.store.worker_process import working
from worker.drainer import Drainer

HOUR = 3600


def earlier(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """The clock stands so much earlier: segments are called after it."""
    real = time.time
    monkeypatch.setattr("journal.writer.time.time", lambda: real() - seconds)


async def test_a_folder_made_anew_is_drained_though_the_database_is_ahead(
    tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await write(tmp_path / "journal", [answered_call(n) for n in range(10)])
    await drain(tmp_path / "journal", database)
    shutil.rmtree(tmp_path / "journal")
    earlier(monkeypatch, HOUR)
    await write(tmp_path / "journal", [answered_call(n) for n in range(10, 110)])
    await drain(tmp_path / "journal", database)
    assert await kept(database) == records(range(110))


async def test_a_folder_restored_from_a_backup_is_drained_though_a_segment_had_the_same_name(
    tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal, backup = tmp_path / "journal", tmp_path / "backup"
    await write(journal, [answered_call(0)])
    earlier(monkeypatch, HOUR)  # so each further engine's epoch is the next number
    await drain(journal, database)
    shutil.copytree(journal, backup)
    await write(journal, [answered_call(1)])
    await drain(journal, database)
    names = [path.name for path in segments(journal)]
    shutil.rmtree(journal)
    backup.rename(journal)
    await write(journal, [answered_call(n) for n in range(2, 5)])
    assert [path.name for path in segments(journal)] == names
    await drain(journal, database)
    assert await kept(database) == records(range(5))


async def test_two_journals_of_one_node_each_go_on_where_they_were(tmp_path: Path, database: str) -> None:
    for n, folder in enumerate(("one", "other")):
        await write(tmp_path / folder, [answered_call(n)])
        await drain(tmp_path / folder, database)
    assert await ask(database, "SELECT count(DISTINCT journal) FROM journal WHERE node = 'here'") == 2
    await ask(database, "DELETE FROM call")
    for folder in ("one", "other"):
        await drain(tmp_path / folder, database)
    assert await kept(database) == []  # neither was drained a second time


async def test_a_journal_of_before_it_had_an_id_goes_on_where_its_node_was(
    tmp_path: Path, database: str
) -> None:
    await write(tmp_path, [answered_call(0)])
    await drain(tmp_path, database)
    await ask(database, "INSERT INTO drained SELECT node, segment, byte FROM journal")
    await ask(database, "DELETE FROM journal")
    await ask(database, "DELETE FROM call")
    await drain(tmp_path, database)
    assert await kept(database) == []


async def test_another_live_worker_with_the_nodes_name_is_refused_and_says_why(
    tmp_path: Path, database: str
) -> None:
    await write(tmp_path / "one", [answered_call(1)])
    await write(tmp_path / "other", [answered_call(2)])
    async with draining(tmp_path / "one", database) as first:
        await drained(first)
        second = Drainer(tmp_path / "other", "here", database, first._kept)
        with pytest.raises(NodeTaken, match=r"node here: another worker .* its own name"):
            await asyncio.wait_for(second.run(), PATIENCE)
        assert not second.has_node.is_set()
        assert await kept(database) == records([1])
        await write(tmp_path / "one", [answered_call(3)])  # the first is not disturbed by it
        await drained(first)
    await drain(tmp_path / "other", database)
    assert await kept(database) == records([1, 2, 3])


async def test_two_workers_of_one_journal_disturb_nobody(tmp_path: Path, database: str) -> None:
    await write(tmp_path, [answered_call(n) for n in range(20)])
    async with draining(tmp_path, database) as first, draining(tmp_path, database) as second:
        await drained(first)
        await drained(second)
    assert await kept(database) == records(range(20))


async def test_a_worker_that_is_refused_ends_and_has_touched_nothing_of_the_nodes(
    tmp_path: Path, database: str
) -> None:
    """Of a message that the other host keeps it would find no file, and call it one without sound."""
    state = tmp_path / "second"
    (state / "spool").mkdir(parents=True)
    await write(tmp_path / "one", [voicemail_call(1)])
    record(tmp_path / "spool", 1)
    environment = {
        "CALLENGINE_NODE": "here",
        "CALLENGINE_STATE": str(state),
        "CALLENGINE_DATABASE": database,
        "CALLENGINE_HTTP__WORKER_PORT": "0",
        "CALLENGINE_MASTER_KEY": new_master_key(),
        "CALLENGINE_ASTERISK__RECORDINGS": str(state / "spool"),
    }
    async with draining(tmp_path / "one", database) as first:
        await drained(first)
        await ask(database, "UPDATE audio SET noted_at = now() - interval '1 hour'")
        with working(environment, state / "log") as worker:

            async def has_ended() -> bool:
                return worker.exitcode is not None

            await until(has_ended, "the worker has ended")
            assert worker.exitcode == 1
    assert "NodeTaken" in (state / "log").read_text()
    con = await asyncpg.connect(database)
    assert await con.fetchval("SELECT state FROM audio WHERE audio_id = $1", audio_id(1)) == "recorded"
    await con.close()


def test_an_id_stays_and_is_made_once(tmp_path: Path) -> None:
    assert identity(tmp_path / "none") is None
    assert not (tmp_path / "none").exists()
    first = identity(tmp_path)
    assert first
    assert identity(tmp_path) == first
    assert [path.name for path in tmp_path.iterdir()] == ["id"]
