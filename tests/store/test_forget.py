"""Erasing a caller: no file has the number afterwards, no total has changed, and the audit verifies it."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from datetime import date
from pathlib import Path

import asyncpg
import pytest
from click.testing import CliRunner

from cli.__main__ import main
from storage import erasure_request, recordings
from storage.audit import Auditor
from storage.backup.erasures import PREFIX
from storage.recordings import Hold
from tests.store.calls import answered_call, call_id
from tests.store.conversations import recording_id
from tests.store.forgetting import (
    OTHER,
    Forgetting,
    Searched,
    calls_of,
    forgetting,
    now_call,
    searched_server,
)
from tests.store.worker_process import until, working
from tests.tiers import first_light

CHANGED_LATER = """
SELECT min(stored_in::text::bigint) FILTER (WHERE caller IS NULL) > max(stored_in::text::bigint)
    FILTER (WHERE caller IS NOT NULL) FROM call
"""
LETTER = '[{"kind":"call_start","call":"?","at":"2026-11-24T12:00:00Z","caller":"%s"}]'
LETTER = '[{"kind":"call_start","call":"?","at":"2026-11-24T12:00:00Z","caller":"%s"}]'
HOLD = Hold("a dispute", "court 12/2026", "A. Peeters", "B. Janssens", date(2999, 1, 1))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Searched]:
    with searched_server(tmp_path_factory.mktemp("searched")) as running:
        yield running


@pytest.fixture
async def here(server: Searched, tmp_path: Path) -> AsyncIterator[Forgetting]:
    async with forgetting(server, tmp_path) as found:
        yield found


async def ask(here: Forgetting) -> int:
    return await erasure_request.ask(
        here.house.con, here.keys.hash(here.caller), here.keys.seal(here.caller), "request 17"
    )


async def findings(here: Forgetting) -> list[str]:
    auditor = Auditor(here.house.store, here.house.spool, True, here.house.key_wrapper, here.keys)
    return [
        str(finding)
        async for finding in auditor.findings(here.house.con)
        if finding.kind in ("chain", "erasure", "kept", "missing")
    ]


@pytest.mark.parametrize("count", first_light(100, 1000))
async def test_no_file_has_the_number_no_total_has_changed_and_the_next_call_is_recorded(
    here: Forgetting, count: int
) -> None:
    con = here.house.con
    others = [answered_call(count + n, caller=OTHER) for n in range(20)]
    with working(here.told, here.house.folder / "log"):
        await here.note(*calls_of(here.house.spool.folder, count, here.caller), *others)
        await here.drained(count + 20)
        await here.sealed(7)
        before = await here.totals()
        assert {"journal", "postgres"} <= {path.split("/")[1] for path in await here.hits()}
        erasure_id = await ask(here)
        await here.certified()
        assert await here.hits() == []
        assert await here.totals() == before
        kept = "SELECT count(*) FROM call WHERE caller = $1"
        assert (await con.fetchval(kept, here.caller), await con.fetchval(kept, OTHER)) == (0, 20)
        assert await con.fetchval(CHANGED_LATER)
        states = await con.fetch("SELECT DISTINCT state, reason FROM audio")
        assert [tuple(row) for row in states] == [("destroyed", "erasure")]
        assert (
            [it for it in await here.house.names() if not it.startswith(PREFIX)] == here.house.spooled() == []
        )
        assert await findings(here) == []
        certificate = await con.fetchrow("SELECT * FROM erasure_certificate")
        assert certificate is not None
        assert (certificate["erasure_id"], certificate["calls"], certificate["audio"]) == (
            erasure_id,
            count,
            7,
        )
        assert certificate["caller_hash"] == here.keys.hash(here.caller)
        line = await con.fetchrow("SELECT what, owner, detail FROM access")
        assert line is not None
        assert tuple(line) == ("forget", "acme", f"a caller was erased from {count} calls: certificate 1")
        await here.note(now_call(count + 50, here.caller))
        await here.drained(count + 21)
        assert await con.fetchval(kept, here.caller) == 1
        assert await findings(here) == []


async def test_a_journal_that_is_drained_again_does_not_bring_the_number_back(here: Forgetting) -> None:
    with working(here.told, here.house.folder / "log"):
        await here.note(*calls_of(here.house.spool.folder, 20, here.caller))
        await here.drained(20)
        await here.sealed(7)
        await ask(here)
        await here.certified()
    before = await here.totals()
    await here.house.con.execute("DELETE FROM leg; DELETE FROM call; DELETE FROM journal")
    with working(here.told, here.house.folder / "log"):
        await here.drained(20)
        assert await here.totals() == before
        assert await here.hits() == []


async def test_a_call_that_lives_is_erased_when_it_has_ended(here: Forgetting) -> None:
    entries = now_call(1, here.caller)
    with working(here.told, here.house.folder / "log"):
        await here.note(entries[:3], answered_call(2))
        await here.drained(1)
        await ask(here)

        async def waits() -> bool:
            shown = await asyncio.to_thread(run, here, "--status")
            return "entries in the journal of node here are of calls that live" in shown

        await until(waits, "the live call is named")
        await here.note(entries[3:])
        await here.drained(2)
        await here.certified()
        assert await here.hits() == []
        assert await here.house.con.fetchval("SELECT calls FROM erasure_certificate") == 1


async def test_what_a_legal_hold_keeps_is_named_and_is_erased_when_the_hold_ends(here: Forgetting) -> None:
    con, held = here.house.con, recording_id(5)
    with working(here.told, here.house.folder / "log"):
        await here.note(*calls_of(here.house.spool.folder, 10, here.caller))
        await here.drained(10)
        await here.sealed(7)
        await recordings.hold(con, held, HOLD)
        await ask(here)
        await here.certified()
        assert await con.fetchval("SELECT held FROM erasure_certificate") == [held]
        assert await con.fetchval("SELECT state FROM audio WHERE audio_id = $1", held) == "stored"
        rows = await con.fetch("SELECT call_id::text FROM call WHERE caller = $1", here.caller)
        assert [row["call_id"] for row in rows] == [call_id(5)]
        assert f"  waits: {held} is under a legal hold\n" in await asyncio.to_thread(run, here, "--status")
        assert await findings(here) == []
        await recordings.release(con, held, "A. Peeters")
        await here.certified(2)
        assert await here.hits() == []
        last = await con.fetchrow("SELECT * FROM erasure_certificate WHERE seq = 2")
        assert last is not None
        assert (last["held"], last["calls"], last["audio"]) == ([], 10, 7)
        assert await con.fetchval("SELECT sealed FROM erasure") is None


async def test_a_dead_letter_loses_the_number_too(here: Forgetting) -> None:
    con = here.house.con
    start, *rest, end = answered_call(1, caller=here.caller)
    with working(here.told, here.house.folder / "log"):
        await here.note([start, *rest, end])
        await here.drained(1)
        add = "INSERT INTO dead_letter (call_id, rev, node, why, entries) VALUES ($1, 1, 'there', '', $2)"
        await con.execute(add, call_id(9), LETTER % here.caller)
        await ask(here)
        await here.certified()
        assert await here.hits() == []
        assert await con.fetchval("SELECT entries FROM dead_letter") == LETTER % ""


async def test_the_audit_finds_a_changed_certificate_and_a_number_that_came_back(here: Forgetting) -> None:
    with working(here.told, here.house.folder / "log"):
        await here.note(*calls_of(here.house.spool.folder, 8, here.caller))
        await here.drained(8)
        await here.sealed(7)
        await ask(here)
        await here.certified()
    await here.house.con.execute("UPDATE call SET caller = $1", here.caller.removeprefix("+"))
    (back,) = await findings(here)
    assert back.startswith("erasure: the number of certificate 1 is in a record of before")
    await here.house.con.execute("UPDATE call SET caller = NULL")
    await here.house.tamper("UPDATE erasure_certificate SET calls = 0")
    (changed,) = await findings(here)
    assert changed.startswith("chain: certificate 1 was changed")
    with pytest.raises(asyncpg.RaiseError, match="only added to"):
        await here.house.con.execute("DELETE FROM erasure_certificate")


async def test_the_command_asks_waits_and_prints_no_number(here: Forgetting) -> None:
    with working(here.told, here.house.folder / "log"):
        await here.note(*calls_of(here.house.spool.folder, 8, here.caller))
        await here.drained(8)
        await here.sealed(7)
        checkpoints = asyncio.create_task(here.certified())
        shown = await asyncio.to_thread(
            run, here, "-", "--reason", "request 17", "--wait", given=f"{here.caller}\n"
        )
        await checkpoints
    assert "erasure 1 has begun" in shown
    assert "request 17; erased from 8 calls, 4 messages, 0 dead letters" in shown
    assert here.caller.removeprefix("+32") not in shown
    listed = json.loads(await asyncio.to_thread(run, here, "--status", "--format", "json"))
    assert [(row["erasure_id"], row["waits"], "sealed" in row) for row in listed] == [(1, [], False)]
    assert "+ and country code" in run(here, "0470 99 88 77", "--reason", "x", code=1)
    assert "--reason" in run(here, here.caller, code=2)
    assert "write a NUMBER, or --status" in run(here, code=2)


def run(here: Forgetting, *words: str, given: str = "", code: int = 0) -> str:
    shown = CliRunner().invoke(main, ["forget", *words], input=given, env=here.told)
    assert shown.exit_code == code, shown.output
    return shown.output
