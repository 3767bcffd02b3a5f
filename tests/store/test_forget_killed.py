"""The worker killed at every point while it erases a caller: the next one finishes, no file has a hit."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from storage import erasure_request
from tests.lateness import PATIENCE
from tests.store.forgetting import Forgetting, Searched, calls_of, forgetting, searched_server
from tests.store.points import ROOT, points_in, stretch
from tests.store.worker_process import until, working
from tests.tiers import mostly_heavy

OF_ERASING = stretch("erase")
LETTER = '[{"kind":"call_start","call":"?","at":"2026-11-24T12:00:00Z","caller":"%s"}]'
ADD_LETTER = "INSERT INTO dead_letter (call_id, rev, node, why, entries) VALUES ('x', 1, 'there', '', $1)"
OF_JOURNAL = points_in(ROOT / "journal/redaction.py")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Searched]:
    with searched_server(tmp_path_factory.mktemp("searched")) as running:
        yield running


@pytest.fixture
async def here(server: Searched, tmp_path: Path) -> AsyncIterator[Forgetting]:
    async with forgetting(server, tmp_path) as found:
        yield found


@pytest.mark.parametrize("name", mostly_heavy([*OF_ERASING, *OF_JOURNAL], 2))
async def test_killed_while_it_erases_the_next_worker_finishes(here: Forgetting, name: str) -> None:
    log = here.house.folder / "log"
    with working(here.told, log):
        await here.note(*calls_of(here.house.spool.folder, 12, here.caller))
        await here.drained(12)
        await here.sealed(7)
    await here.house.con.execute(ADD_LETTER, LETTER % here.caller)
    before = await here.totals()
    await erasure_request.ask(
        here.house.con, here.keys.hash(here.caller), here.keys.seal(here.caller), "request 17"
    )
    with working(here.told, log, name) as worker:

        async def is_dead() -> bool:
            await here.house.con.execute("CHECKPOINT")
            return worker.exitcode is not None

        await until(is_dead, f"killed at {name}")
        await asyncio.to_thread(worker.join, PATIENCE)
        assert worker.exitcode == -signal.SIGKILL
    with working(here.told, log):
        await here.certified()
        assert await here.hits() == []
        assert await here.totals() == before
    assert await here.house.con.fetchval("SELECT calls FROM erasure_certificate ORDER BY seq LIMIT 1") == 12
