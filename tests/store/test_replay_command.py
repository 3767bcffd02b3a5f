"""`callengine replay`, from a real database: which past calls would go elsewhere under other files."""

import asyncio
import json
from pathlib import Path

import asyncpg
import pytest
from click.testing import CliRunner, Result

from cli.__main__ import main
from cli.replaying import first_difference
from config.load import load
from config.policy import Policy
from config.versions import Versions
from journal.state import fold
from storage.calls import Revised, store
from storage.records import call_record
from tests.store.calls import NOON, answered_call, call_id
from tests.unit.folders import NUMBER, good_folder

ROUTE = "ring: {to: +3221112233, busy: [ring: +3221112244]}"
MAIN = NUMBER.replace("ring: +3221112233", ROUTE)


@pytest.fixture
def place(database: str, tmp_path: Path) -> Path:
    """Settings; two calls, of which the second has no routing version; and an edited copy of the folder."""
    folder = good_folder(tmp_path / "routing")
    (folder / "numbers" / "main.yaml").write_text(MAIN)
    digest = load(folder, Policy()).digest
    versions = Versions(tmp_path / "routing-versions")
    versions.store(folder, digest)
    versions.enter(digest, (), NOON)
    calls = [answered_call(1, routing=digest), answered_call(2)]
    records = [Revised(call_record(fold(call)), 1) for call in calls]

    async def stored() -> None:
        con = await asyncpg.connect(database)
        await store(con, records)
        await con.close()

    asyncio.run(stored())
    (tmp_path / "callengine.toml").write_text(f'state = "{tmp_path}"\ndatabase = "{database}"\n')
    good_folder(tmp_path / "edited")
    return tmp_path


def replay(place: Path, route: str, *options: str) -> Result:
    (place / "edited" / "numbers" / "main.yaml").write_text(route)
    arguments = ["replay", str(place / "edited"), "--days", "3660", *options]
    return CliRunner().invoke(main, [*arguments, "--settings", str(place / "callengine.toml")])


UNKNOWN = "; 1 more cannot be compared: no version is stored for them\n"


@pytest.mark.parametrize(
    ("route", "before", "after"),
    [
        (MAIN.replace("+3221112244", "+3221112255"), "ring +3221112244", "ring +3221112255"),
        (MAIN.replace("busy: [", "busy: [announce: welcome, "), "ring +3221112244", "announce welcome"),
        (MAIN.replace("- announce: welcome", "- hours: daily 03:00-04:00"), "announce welcome", "closed"),
        (MAIN.replace("+3270012345", "+3270012346"), "announce welcome", "404: the number is not there"),
    ],
)
def test_a_call_that_would_go_elsewhere_is_listed(place: Path, route: str, before: str, after: str) -> None:
    done = replay(place, route)
    assert done.exit_code == 0, done.output
    assert f"  +3270012345  {call_id(1)}  {before} -> {after}\n" in done.output
    assert done.output.endswith(f"1 of 1 calls would go elsewhere{UNKNOWN}")


@pytest.mark.parametrize(
    "route",
    [
        MAIN,
        MAIN.replace("busy: [", "no_answer: [hangup: busy], busy: ["),
        MAIN.replace("+3221112233, busy", "+3221112233, seconds: 40, busy"),
        f"{MAIN}  - hangup: busy\n",
    ],
)
def test_a_call_that_would_go_the_same_way_is_counted(place: Path, route: str) -> None:
    assert replay(place, route).output == f"0 of 1 calls would go elsewhere{UNKNOWN}"


def test_the_list_can_be_read_by_programs_and_restricted_to_a_number(place: Path) -> None:
    route = MAIN.replace("+3221112244", "+3221112255")
    (difference,) = json.loads(replay(place, route, "--format", "json").output)
    assert (difference["before"], difference["after"]) == ("ring +3221112244", "ring +3221112255")
    other = replay(place, route, "--number", "+3270099999")
    assert other.output == "0 of 0 calls would go elsewhere\n"


def test_a_folder_with_an_error_is_not_replayed(place: Path) -> None:
    done = replay(place, MAIN.replace("welcome", "welcom"))
    assert done.exit_code == 1
    assert "there is no prompt `welcom`" in done.output


@pytest.mark.parametrize(
    ("before", "after", "difference"),
    [
        (["ring a", "answered"], ["ring a", "answered"], None),
        (["ring a", "answered"], ["ring b", ""], ("ring a", "ring b")),
        (["ring a", ""], ["ring a", "wait", "busy"], None),
        (["ring a", "busy"], ["ring a", "wait", "busy"], ("busy", "wait")),
        (["ring a", "busy"], ["ring a", "no_answer"], ("busy", "no_answer")),
    ],
)
def test_walks_differ_at_their_first_difference(
    before: list[str], after: list[str], difference: tuple[str, str] | None
) -> None:
    """A caller who left, or a record that says no more, proves no difference."""
    assert first_difference(before, after) == difference


def test_a_number_may_be_written_in_national_form(place: Path) -> None:
    """By the routing in force; by the setting `country` too where no routing is in force."""
    counted = replay(place, NUMBER, "--number", "+3270012345").output
    assert "1 of 1 calls would go elsewhere" in counted
    for written in ("070012345", "003270012345", "3270012345"):
        assert replay(place, NUMBER, "--number", written).output == counted
    refused = replay(place, NUMBER, "--number", "070012346")
    assert (refused.exit_code, "write it with + and country code" in refused.output) == (1, True)
    with (place / "callengine.toml").open("a") as settings:
        settings.write('country = "32"\n')
    (place / "routing-versions").rename(place / "elsewhere")
    assert "0 of 0 calls" in replay(place, NUMBER, "--number", "070012345").output
