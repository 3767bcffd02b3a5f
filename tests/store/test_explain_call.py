"""`callengine explain --call`, from a real database: the version that a call began under is in its record."""

import asyncio
import json
from pathlib import Path
from uuid import UUID

import asyncpg
from click.testing import CliRunner

from cli.__main__ import main
from config.load import load
from config.policy import Policy
from config.versions import Versions
from journal.state import fold
from storage.calls import Revised, find, get, store
from storage.records import call_record
from tests.store.calls import NOON, answered_call, call_id
from tests.unit.folders import NUMBER, good_folder

ROUTE = "ring: {to: +3221112233, busy: [ring: +3221112244]}"


def version(state: Path) -> str:
    """The digest of a kept version whose number rings both destinations of the call, in turn."""
    folder = good_folder(state / "routing")
    (folder / "numbers" / "main.yaml").write_text(NUMBER.replace("ring: +3221112233", ROUTE))
    digest = load(folder, Policy()).digest
    versions = Versions(state / "routing-versions")
    versions.store(folder, digest)
    versions.enter(digest, (), NOON)
    return digest


async def stored(database: str, routing: str) -> list[str]:
    """The versions that records of two calls name when they are read again, the first one's by its id."""
    con = await asyncpg.connect(database)
    calls = [answered_call(1, routing=routing), answered_call(2)]
    await store(con, [Revised(call_record(fold(call)), 1) for call in calls])
    found = [record.routing async for record in find(con)]
    first = call_record(fold(calls[0]))
    assert first is not None
    assert await get(con, UUID(call_id(1))) == first
    await con.close()
    return found


def test_a_past_call_is_explained_by_the_version_that_it_began_under(database: str, tmp_path: Path) -> None:
    digest = version(tmp_path)
    assert asyncio.run(stored(database, digest)) == [digest, ""]
    settings = tmp_path / "callengine.toml"
    settings.write_text(f'state = "{tmp_path}"\ndatabase = "{database}"\n')
    done = CliRunner().invoke(
        main, ["explain", "--call", call_id(1), "--format", "json", "--settings", str(settings)]
    )
    assert done.exit_code == 0, done.output
    printed = json.loads(done.output)
    assert (printed["routing"], printed["result"], printed["walked_to"]) == (digest, "answered", "answered")
    assert [(step["step"], step["outcome"]) for step in printed["path"]] == [
        ("announce", "done"),
        ("ring", "busy"),
        ("ring", "taken"),
    ]


def test_a_call_without_a_record_is_an_error(database: str, tmp_path: Path) -> None:
    settings = tmp_path / "callengine.toml"
    settings.write_text(f'state = "{tmp_path}"\ndatabase = "{database}"\n')
    done = CliRunner().invoke(main, ["explain", "--call", call_id(9), "--settings", str(settings)])
    assert done.exit_code == 1
    assert "there is no record of call" in done.output
