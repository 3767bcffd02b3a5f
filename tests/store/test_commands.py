"""`callengine calls` and `callengine migrate`, as an operator types them."""

import asyncio
import csv
import io
import json
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from click.testing import CliRunner

from cli.__main__ import main
from storage.calls import Revised, store
from storage.export import COLUMNS
from storage.migrate import migrations
from tests.store.calls import answered_call, call_id, record_of


@pytest.fixture
def filled(database: str) -> str:
    """A database with ten calls, one a second from noon (UTC); every other one to another number."""

    async def fill() -> None:
        con = await asyncpg.connect(database)
        records = [record_of(answered_call(n, number=f"+327001234{n % 2}")) for n in range(10)]
        await store(con, [Revised(record, 1) for record in records if record])
        await con.close()

    asyncio.run(fill())
    return database


def call(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(main, list(arguments))
    assert result.exit_code == code, result.output
    return result.output


def exported(database: str, *options: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(
        call("calls", "--database", database, "--format", "json", *options)
    )
    return found


def test_calls_are_a_table_with_the_columns_of_the_design(filled: str) -> None:
    rows = list(csv.DictReader(io.StringIO(call("calls", "--database", filled))))
    assert list(rows[0]) == list(COLUMNS)
    assert [row["call_id"] for row in rows] == [call_id(n) for n in range(10)]
    assert {row["number"] for row in rows} == {"'+3270012340", "'+3270012341"}
    assert {row["talk_seconds"] for row in rows} == {"60.500"}


@pytest.mark.parametrize("written", ["070012341", "003270012341", "3270012341", "+3270012341"])
def test_a_service_number_may_be_written_in_any_form(
    filled: str, written: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CALLENGINE_COUNTRY", "32")
    assert {record["number"] for record in exported(filled, "--number", written)} == {"+3270012341"}
    monkeypatch.setenv("CALLENGINE_COUNTRY", "")
    monkeypatch.setenv("CALLENGINE_STATE", str(tmp_path))
    said = call("calls", "--database", filled, "--number", "070012341", code=1)
    assert "no routing is in force" in said
    assert "write the number with + and country code" in said


def test_calls_as_json_have_their_legs(filled: str) -> None:
    (first, *others) = exported(filled)
    assert len(others) == 9
    assert (first["number"], first["caller"], first["withheld"]) == ("+3270012340", "+32470111222", False)
    assert [(leg["to"], leg["outcome"]) for leg in first["legs"]] == [
        ("+3221112233", "busy"),
        ("+3221112244", "taken"),
    ]


def test_no_calls_are_an_empty_array_and_a_table_without_rows(database: str) -> None:
    assert exported(database) == []
    assert call("calls", "--database", database).splitlines() == [",".join(COLUMNS)]


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        (["--number", "+3270012341"], [1, 3, 5, 7, 9]),
        (["--since", "2026-11-24T12:00:07Z"], [7, 8, 9]),
        (["--until", "2026-11-24T13:00:02+01:00"], [0, 1]),
        (["--since", "2026-11-24T12:00:02Z", "--until", "2026-11-24T12:00:04Z"], [2, 3]),
        (["--since", "2026-11-26"], []),
        (["--since", "2026-11-22", "--number", "+3270012340"], [0, 2, 4, 6, 8]),
    ],
)
def test_calls_are_chosen_by_number_and_time(filled: str, options: list[str], numbers: list[int]) -> None:
    assert [row["call_id"] for row in exported(filled, *options)] == [call_id(n) for n in numbers]


def test_a_time_that_is_none_is_refused_with_what_to_write() -> None:
    assert "write 2026-11-24" in call("calls", "--since", "yesterday", code=2)


def test_the_database_may_be_that_of_a_running_dev(filled: str, tmp_path: Path) -> None:
    (tmp_path / "endpoints.json").write_text(json.dumps({"database": filled}))
    assert len(call("calls", "--state", str(tmp_path)).splitlines()) == 11


def test_a_dev_that_does_not_run_is_named(tmp_path: Path) -> None:
    assert "endpoints.json is not there" in call("calls", "--state", str(tmp_path), code=1)


def test_the_database_may_be_that_of_the_settings(filled: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLENGINE_DATABASE", filled)
    assert len(call("calls").splitlines()) == 11


def test_a_database_without_schema_says_how_to_get_it(bare_database: str) -> None:
    assert "callengine migrate" in call("calls", "--database", bare_database, code=1)


def test_a_database_that_is_away_is_one_sentence_without_its_password() -> None:
    told = call("calls", "--database", "postgresql://me:secret-word@127.0.0.1:1/x", code=1)
    assert told.startswith("Error: the database cannot be used: ")
    assert "secret-word" not in told


def test_migrate_says_what_it_did(bare_database: str) -> None:
    applied = [f"applied {migration.name}" for migration in migrations()]
    told = call("migrate", "--database", bare_database).splitlines()
    assert [
        line for line in told if not line.startswith("rights given to ")
    ] == applied  # other tests make roles
    assert "nothing to do" in call("migrate", "--database", bare_database)


def ids(output: str) -> list[str]:
    return [found["call_id"] for found in json.loads(output)]


def export(database: str, cursor: Path, *options: str, code: int = 0) -> str:
    return call(
        "calls", "--database", database, "--format", "json", "--cursor", str(cursor), *options, code=code
    )


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--ended-since", "2026-11-24T12:01:11Z"], [5, 6, 7, 8, 9]),
        (["--ended-until", "2026-11-24T12:01:08Z"], [0, 1]),
        (["--owner", "acme", "--since", "2026-11-24T12:00:09Z"], [9]),
        (["--owner", "nobody"], []),
        (["--outcome", "busy"], []),
        (["--outcome", "answered", "--until", "2026-11-24T12:00:01Z"], [0]),
        (["--caller", "+32470111222", "--until", "2026-11-24T12:00:01Z"], [0]),
        (["--caller", "+3225551235"], []),
    ],
)
def test_calls_are_selected_by_their_end_owner_caller_and_outcome(
    filled: str, options: list[str], found: list[int]
) -> None:
    output = call("calls", "--database", filled, "--format", "json", *options)
    assert ids(output) == [call_id(n) for n in found]


async def keep_one(database: str, n: int, rev: int = 1) -> None:
    con = await asyncpg.connect(database)
    await store(con, [Revised(record_of(answered_call(n)), rev)])
    await con.close()


async def test_each_record_is_exported_once_even_one_that_is_committed_late(
    filled: str, tmp_path: Path
) -> None:
    cursor = tmp_path / "cursor"
    exported = [ids(await asyncio.to_thread(export, filled, cursor))]
    con = await asyncpg.connect(filled)
    async with con.transaction():
        await store(con, [Revised(record_of(answered_call(20)), 1)])
        await keep_one(filled, 21)
        exported.append(ids(await asyncio.to_thread(export, filled, cursor)))
    await con.close()
    exported += [ids(await asyncio.to_thread(export, filled, cursor)) for _ in range(2)]
    all_of_before = [call_id(n) for n in range(10)]
    assert exported == [all_of_before, [], [call_id(20), call_id(21)], []]
    await keep_one(filled, 3, rev=2)
    assert ids(await asyncio.to_thread(export, filled, cursor)) == [call_id(3)]


def test_an_export_that_fails_comes_again(
    filled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cursor = tmp_path / "cursor"
    with monkeypatch.context() as patched:
        patched.setattr("cli.commands.calls.write_json", None)
        assert isinstance(
            CliRunner()
            .invoke(main, ["calls", "--database", filled, "--format", "json", "--cursor", str(cursor)])
            .exception,
            TypeError,
        )
    assert not cursor.exists()
    assert len(ids(export(filled, cursor))) == 10
    assert ids(export(filled, cursor)) == []


def test_a_cursor_of_another_database_is_refused(filled: str, tmp_path: Path) -> None:
    cursor = tmp_path / "cursor"
    cursor.write_text('{"database": "1/1", "position": "7"}')
    assert "another database" in export(filled, cursor, code=1)
    cursor.write_text("what is this")
    assert "is not a cursor" in export(filled, cursor, code=1)
