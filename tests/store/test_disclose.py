"""Call records for an authority: two persons, a file with a digest, a line for each owner, no number kept."""

import asyncio
import csv
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.__main__ import main
from storage.audit import Auditor
from storage.key_wrapper import KeyWrapper, new_master_key
from tests.store.calls import answered_call, call_id
from tests.store.keeping import House, house_of

CALLER = "+32470998877"
KEY = new_master_key()
ASK = (
    "--since", "2026-11-24", "--until", "2026-11-25", "--authority", "court of Ghent", "--reason", "a threat",
    "--reference", "2026/17", "--by", "A. Peeters",
)  # fmt: skip


@pytest.fixture
async def house(database: str, tmp_path: Path) -> AsyncIterator[House]:
    """Call 1 by the caller, call 2 by another one; call 3 to the caller, as a destination of owner taxi."""
    async with house_of(database, tmp_path, key_wrapper=KeyWrapper(KEY)) as found:
        third = [
            type(entry)(**{**{name: getattr(entry, name) for name in entry.__struct_fields__}, "to": CALLER})
            if hasattr(entry, "to") and entry.__struct_config__.tag == "leg_start"
            else entry
            for entry in answered_call(3, owner="taxi")
        ]
        await found.drain(answered_call(1, caller=CALLER[1:]), answered_call(2), third)
        yield found


@pytest.fixture(autouse=True)
def logged_in(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Who runs the command: one who approves has logged in as another than the one who asks."""
    who = ["alice as root", "bob as root"]

    def operator() -> str:
        approves = "--approve" in RUN
        return who[approves]

    monkeypatch.setattr("storage.access.operator", operator)
    return who


RUN: list[str] = []  # the words of the command that runs


def run(house: House, database: str, *words: str, given: str = "", code: int = 0) -> str:
    RUN[:] = words
    told = {
        "CALLENGINE_DATABASE": database,
        "CALLENGINE_MASTER_KEY": KEY,
        "CALLENGINE_STATE": str(house.folder),
    }
    shown = CliRunner().invoke(main, ["disclose", *words], input=given, env=told)
    assert shown.exit_code == code, shown.output
    return shown.output


async def disclosed(house: House, database: str, *words: str, given: str = "", code: int = 0) -> str:
    return await asyncio.to_thread(run, house, database, *words, given=given, code=code)


async def test_a_second_person_gets_the_file_and_each_owner_sees_that(house: House, database: str) -> None:
    shown = await disclosed(house, database, "-", *ASK, given=f"{CALLER}\n")
    assert "disclosure 1 waits for a second person" in shown
    file = house.folder / "calls.csv"
    words = ("--approve", "1", "--by", "B. Janssens", "--output", str(file))
    shown = await disclosed(house, database, *words)
    assert shown == f"{file}: 2 calls, SHA-256 {hashlib.sha256(file.read_bytes()).hexdigest()}\n"
    assert [row["call_id"] for row in csv.DictReader(file.read_text().splitlines())] == [
        call_id(1),
        call_id(3),
    ]
    assert file.stat().st_mode & 0o777 == 0o600
    lines = await house.con.fetch("SELECT what, actor, owner, audio_id, detail FROM access ORDER BY owner")
    told = "disclosure 1: 2026/17, to court of Ghent, by A. Peeters and B. Janssens"
    assert [tuple(line) for line in lines] == [
        ("disclose", "authority", owner, None, told) for owner in ("acme", "taxi")
    ]
    assert await house.con.fetchval("SELECT count(*) FROM disclosure_number") == 0
    for table in ("disclosure", "disclosure_export"):
        rows = await house.con.fetch(f"SELECT t::text AS row FROM {table} AS t")  # noqa: S608
        assert CALLER[3:] not in str([row["row"] for row in rows])
    assert "exported already" in await disclosed(house, database, *words[:4], "--output", f"{file}2", code=1)
    assert [path.name for path in house.folder.glob("*2")] == []


async def test_the_same_person_cannot_approve(house: House, database: str) -> None:
    await disclosed(house, database, CALLER, *ASK)
    file = house.folder / "calls.csv"
    told = ("--approve", "1", "--by", " a. peeters", "--output", str(file))
    assert "another person has to approve it" in await disclosed(house, database, *told, code=1)
    assert not file.exists()
    assert await house.con.fetchval("SELECT count(*) FROM access") == 0


@pytest.mark.parametrize("approves", ["alice", "alice as root", "alice as callengine"])
async def test_one_login_with_two_names_cannot_approve(
    house: House, database: str, logged_in: list[str], approves: str
) -> None:
    await disclosed(house, database, CALLER, *ASK)
    logged_in[1] = approves
    file = house.folder / "calls.csv"
    words = ("--approve", "1", "--by", "B. Janssens", "--output", str(file))
    assert "the login alice has asked for it" in await disclosed(house, database, *words, code=1)
    assert not file.exists()
    assert await house.con.fetchval("SELECT count(*) FROM access") == 0
    assert await house.con.fetchval("SELECT count(*) FROM disclosure_number") == 1
    logged_in[1] = "bob"
    await disclosed(house, database, *words)


async def test_an_order_ends_after_seven_days(house: House, database: str) -> None:
    await disclosed(house, database, CALLER, *ASK)
    await house.tamper("UPDATE disclosure SET asked_at = now() - interval '8 days'")
    await disclosed(house, database, CALLER, *ASK)
    assert await house.con.fetchval("SELECT count(*) FROM disclosure_number") == 1
    told = ("--approve", "1", "--by", "B. Janssens", "--output", str(house.folder / "calls.csv"))
    assert "older than seven days" in await disclosed(house, database, *told, code=1)


async def test_a_confidential_one_is_in_the_log_but_not_in_that_of_an_owner(
    house: House, database: str
) -> None:
    await disclosed(house, database, CALLER, *ASK, "--confidential")
    file = house.folder / "calls.json"
    told = ("--approve", "1", "--by", "B. Janssens", "--output", str(file), "--format", "json")
    await disclosed(house, database, *told)
    assert [call["caller"] for call in json.loads(file.read_text())] == [CALLER[1:], "+32470111222"]
    rows = await house.con.fetch("SELECT what, owner FROM access")
    assert [tuple(row) for row in rows] == [("disclose", None)]
    (listed,) = json.loads(await disclosed(house, database, "--list", "--format", "json"))
    assert (listed["by_one"], listed["by_other"], listed["calls"]) == ("A. Peeters", "B. Janssens", 2)


async def test_what_is_missing_is_said(house: House, database: str) -> None:
    shown = await disclosed(house, database, CALLER, "--by", "A", "--since", "2026-11-24", code=2)
    assert "write --authority and --reason and --reference and --until too" in shown
    assert "write a NUMBER, or --approve ID, or --list" in await disclosed(house, database, code=2)
    assert "there is no disclosure 9" in await disclosed(
        house, database, "--approve", "9", "--by", "B", "--output", str(house.folder / "x"), code=1
    )


async def test_the_audit_finds_an_export_without_its_line_in_the_access_log(
    house: House, database: str
) -> None:
    await disclosed(house, database, CALLER, *ASK)
    told = ("--approve", "1", "--by", "B. Janssens", "--output", str(house.folder / "calls.csv"))
    await disclosed(house, database, *told)

    async def findings() -> list[str]:
        auditor = Auditor(house.store, house.spool, key_wrapper=house.key_wrapper)
        return [str(it) async for it in auditor.findings(house.con) if it.kind == "disclosure"]

    assert await findings() == []
    await house.tamper("DELETE FROM access")
    (found,) = await findings()
    assert found.startswith("disclosure: the export of disclosure 1 is not in the access log")


async def test_the_calls_to_a_sip_address_are_disclosed_too(house: House, database: str) -> None:
    desk = "sip:reception@pbx.acme.example"
    await house.con.execute("UPDATE leg SET destination = $1 WHERE call_id = $2", desk, call_id(2))
    assert "write it as records have it" in await disclosed(house, database, "sip:reception", *ASK, code=1)
    await disclosed(house, database, "-", *ASK, given=f"{desk}\n")
    file = house.folder / "calls.csv"
    await disclosed(house, database, "--approve", "1", "--by", "B. Janssens", "--output", str(file))
    assert [row["call_id"] for row in csv.DictReader(file.read_text().splitlines())] == [call_id(2)]
