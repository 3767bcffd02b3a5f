"""`callengine reconcile`, as an operator types it, and the worker's hourly reconciliation."""

import asyncio
import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from click.testing import CliRunner, Result
from structlog.testing import capture_logs

from cli.__main__ import main
from journal.ids import call_id_of
from storage.reconciliation import Sources
from tests.store.calls import answered_call, changed
from tests.store.test_drainer import drain, write
from worker.metrics import WorkerMetrics
from worker.reconciling import Reconciling

NODE = "here"
BEGAN = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=30)
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
TALK = 60.5


def channel(n: int) -> str:
    return f"here-1795776979.{n}"


def call_of(n: int) -> str:
    return call_id_of(channel(n), NODE)


def lines(n: int, talk: float = TALK) -> str:
    """A call as CEL has it: answered after 6.123 s."""
    began = BEGAN + timedelta(seconds=n)
    instants = {"CHAN_START": 0.0, "ANSWER": 6.123, "HANGUP": 6.123 + talk}
    return "".join(
        f'"{kind}","{(began + timedelta(seconds=after)).timestamp():.6f}","{channel(n)}","{channel(n)}",'
        f'"PJSIP/from0-{n:08x}","connect","+3270012345",""\n'
        for kind, after in instants.items()
    )


async def journal_calls(folder: Path, *numbers: int) -> None:
    """The engine notes these calls."""
    shift = BEGAN - NOON
    calls = [
        [changed(it, call=call_of(n), at=it.at and it.at + shift) for it in answered_call(n)] for n in numbers
    ]
    await write(folder, calls)


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    cel = tmp_path / "cel-custom" / "Master.csv"
    cel.parent.mkdir()
    return Sources(NODE, cel, tmp_path / "state" / "journal")


@pytest.fixture
def settings(sources: Sources, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    values: Mapping[str, str] = {
        "CALLENGINE_NODE": NODE,
        "CALLENGINE_STATE": str(sources.journal.parent),
        "CALLENGINE_ASTERISK__CEL": str(sources.cel),
        "CALLENGINE_DATABASE": database,
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)


async def reconciled(*words: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, main, ["reconcile", *words])


@pytest.mark.usefixtures("settings")
async def test_where_all_agree_it_says_so_and_ends_with_0(sources: Sources, database: str) -> None:
    sources.cel.write_text(lines(0) + lines(1))
    await journal_calls(sources.journal, 0, 1)
    await drain(sources.journal, database)
    result = await reconciled()
    assert (result.exit_code, result.output) == (0, "2 calls in CEL, 2 records, no differences\n")


@pytest.mark.usefixtures("settings")
async def test_each_difference_is_a_line_and_it_ends_with_1(sources: Sources, database: str) -> None:
    sources.cel.write_text(lines(0) + lines(1, talk=70) + lines(3))
    await journal_calls(sources.journal, 0, 1, 2)
    await drain(sources.journal, database)
    result = await reconciled("--format", "json")
    found: dict[str, Any] = json.loads(result.output)
    assert result.exit_code == 1
    assert (found["cel"], found["records"]) == (3, 3)
    told = {it["call_id"]: it["kind"] for it in found["differences"]}
    assert told == {call_of(1): "duration", call_of(2): "no CEL", call_of(3): "no record"}
    text = (await reconciled()).output.splitlines()
    assert len(text) == 4
    assert text[-1] == "3 calls in CEL, 3 records, 3 differences"


@pytest.mark.usefixtures("settings")
async def test_what_waits_in_the_journal_and_what_is_a_dead_letter_is_explained(
    sources: Sources, database: str
) -> None:
    sources.cel.write_text(lines(0) + lines(1))
    await journal_calls(sources.journal, 0, 1)
    con = await asyncpg.connect(database)
    insert = "INSERT INTO dead_letter (call_id, rev, node, why, entries) VALUES ($1, 1, $2, $3, '[]')"
    await con.execute(insert, call_of(1), NODE, "2 entries cannot be read")
    await con.close()
    result = await reconciled()
    first, second, _ = result.output.splitlines()
    assert first.startswith(f"no record: call {call_of(0)}")
    assert "the journal has it whole" in first
    assert second.startswith(f"dead letter: call {call_of(1)}")
    assert "2 entries cannot be read" in second


@pytest.mark.usefixtures("settings")
async def test_a_period_may_be_given(sources: Sources) -> None:
    sources.cel.write_text(lines(0))
    await journal_calls(sources.journal)
    before = (BEGAN - timedelta(seconds=1)).isoformat()
    assert (await reconciled("--until", before)).exit_code == 0
    assert (await reconciled("--since", before)).exit_code == 1


@pytest.mark.usefixtures("settings")
async def test_on_another_host_it_says_where_to_run_it(sources: Sources) -> None:
    sources.cel.parent.rmdir()
    result = await reconciled()
    assert result.exit_code == 1
    assert "run this on Asterisk's host" in result.output


async def test_the_worker_counts_the_differences_and_logs_each_once(sources: Sources, database: str) -> None:
    sources.cel.write_text(lines(0) + lines(1))
    await journal_calls(sources.journal, 0)
    await drain(sources.journal, database)
    metrics, backlog = WorkerMetrics(), [1]
    work = Reconciling(sources, database, metrics, lambda: backlog[0], first_seconds=0)
    con = await asyncpg.connect(database)
    try:
        with capture_logs() as logged:
            await work.look(con)
            assert metrics.reconcile_differences._value.get() == 0, "the journal waits, and so does this"
            assert age_of(metrics) == math.inf
            backlog[0] = 0
            await work.look(con)
            await work.look(con)
        assert metrics.reconcile_differences._value.get() == 1
        assert 0 <= age_of(metrics) < 60
        assert [(it["event"], it["call"]) for it in logged] == [("call_not_reconciled", call_of(1))]
    finally:
        await con.close()


def age_of(metrics: WorkerMetrics) -> float:
    """Seconds since the last comparison, as Prometheus reads them."""
    (metric,) = metrics.reconciled_age_seconds.collect()
    return float(metric.samples[0].value)


async def test_a_folder_that_cannot_be_read_is_reported_and_tried_again(
    sources: Sources, database: str
) -> None:
    sources.cel.parent.rmdir()
    metrics = WorkerMetrics()
    con = await asyncpg.connect(database)
    try:
        with capture_logs() as logged:
            await Reconciling(sources, database, metrics, lambda: 0, first_seconds=0).look(con)
        assert [it["event"] for it in logged] == ["calls_not_reconciled"]
        assert "FileNotFoundError" in logged[0]["error"]
    finally:
        await con.close()


async def test_a_database_that_is_away_is_reported_and_tried_again(sources: Sources, database: str) -> None:
    con = await asyncpg.connect(database)
    work = Reconciling(sources, f"{database}-absent", WorkerMetrics(), lambda: 0, first_seconds=0)
    try:
        with capture_logs() as logged:
            await work.look(con)
            await work.look(con)
        assert [it["event"] for it in logged] == ["calls_not_reconciled"] * 2
        assert "InvalidCatalogNameError" in logged[0]["error"]
    finally:
        await con.close()


async def test_a_worker_that_has_just_started_does_not_compare_yet(sources: Sources, database: str) -> None:
    con = await asyncpg.connect(database)
    sources.cel.parent.rmdir()
    try:
        with capture_logs() as logged:
            await Reconciling(sources, database, WorkerMetrics(), lambda: 0).look(con)
        assert logged == []
    finally:
        await con.close()
