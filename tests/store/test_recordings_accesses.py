"""Who had what to do with a recording is written down, and stays."""

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from click.testing import CliRunner

from cli.__main__ import main
from process import operators
from storage import access
from storage.access import Looked
from storage.key_wrapper import KeyWrapper, new_master_key
from tests.store.conversations import record_talk, recorded_call, recording_id
from tests.store.keeping import House, house_of

FETCHED, DESTROYED, HELD, UNHEARD = 1, 2, 3, 4
HOLD = ("--reason", "a dispute", "--reference", "12/2026", "--by", "A", "--by", "B", "--review", "2999-01-01")


@pytest.fixture
async def house(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    key = new_master_key()
    for name, told in {
        "STATE": str(tmp_path),
        "DATABASE": database,
        "MASTER_KEY": key,
        "ASTERISK__RECORDINGS": str(tmp_path / "spool"),
    }.items():
        monkeypatch.setenv(f"CALLENGINE_{name}", told)
    async with house_of(database, tmp_path, key_wrapper=KeyWrapper(key)) as found:
        for n in (FETCHED, DESTROYED, HELD, UNHEARD):
            record_talk(found.spool.folder, n, 0.5)
        await found.drain(*(recorded_call(n, days=36_500) for n in (FETCHED, DESTROYED, HELD, UNHEARD)))
        await found.seal()
        yield found


async def said(*words: str, code: int = 0) -> str:
    result = await asyncio.to_thread(CliRunner().invoke, main, ["recordings", *words])
    assert result.exit_code == code, result.output
    return result.output


async def accesses(*words: str) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = json.loads(await said("accesses", "--format", "json", *words))
    return told


async def test_what_was_done_is_told_with_who_and_when(house: House, tmp_path: Path) -> None:
    before = await house.con.fetchval("SELECT now()")
    await said("fetch", recording_id(FETCHED), "--output", str(tmp_path / "it.wav"))
    await said("destroy", recording_id(DESTROYED))
    await said("hold", recording_id(HELD), *HOLD)
    await said("release", recording_id(HELD), "--by", "C")
    told = await accesses()
    assert [(it["what"], it["recording_id"]) for it in told] == [
        ("fetch", recording_id(FETCHED)),
        ("destroy", recording_id(DESTROYED)),
        ("hold", recording_id(HELD)),
        ("release", recording_id(HELD)),
    ]
    who = {(it["owner"], it["operator"], it["host"]) for it in told}
    assert who == {("acme", operators.operator(), socket.gethostname())}
    assert [it["what"] for it in await accesses(recording_id(HELD))] == ["hold", "release"]
    assert await accesses("--until", before.isoformat()) == []
    assert (await said("accesses")).splitlines()[0] == "at,what,recording_id,owner,operator,host"
    assert (await said("list", "--format", "json")).count('"evidence"') == 4


async def test_what_was_refused_was_not_done(house: House) -> None:
    await said("hold", recording_id(HELD), *HOLD)
    await said("destroy", recording_id(HELD), code=1)
    await said("release", recording_id(UNHEARD), "--by", "C", code=1)
    await said("fetch", recording_id(9), code=1)
    assert [it["what"] for it in await accesses()] == ["hold"]


async def test_nothing_is_given_out_that_cannot_be_written_down(house: House, tmp_path: Path) -> None:
    await house.con.execute("ALTER TABLE access ADD CHECK (what <> 'fetch')")
    file = tmp_path / "it.wav"
    result = await asyncio.to_thread(
        CliRunner().invoke, main, ["recordings", "fetch", recording_id(FETCHED), "--output", str(file)]
    )
    assert (result.exit_code, file.exists()) == (1, False)


async def test_it_outlives_the_recording_and_nobody_changes_it(house: House) -> None:
    await said("fetch", recording_id(FETCHED), "--output", "-")
    await said("destroy", recording_id(FETCHED))
    await house.destroy()
    assert [it["what"] for it in await accesses(recording_id(FETCHED))] == ["fetch", "destroy"]
    for change in ("UPDATE access SET operator = 'nobody'", "DELETE FROM access", "TRUNCATE access"):
        with pytest.raises(asyncpg.RaiseError, match="table access is only added to"):
            await house.con.execute(change)
    assert len([it async for it in access.find(house.con, Looked())]) == 2


@pytest.mark.parametrize(
    ("login", "told"),
    [
        ("{user}", "{name}"),
        ("4294967295", "{name}"),
        ("no number", "{name}"),
        ("999999", "user 999999 as {name}"),
    ],
)
def test_sudo_hides_nobody(login: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "loginuid"
    file.write_text(login.format(user=os.getuid()))
    monkeypatch.setattr(operators, "LOGIN", file)
    assert operators.operator() == told.format(name=operators.name(os.getuid()))
