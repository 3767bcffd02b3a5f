"""`switch`: other steps while an operator has put a switch on, which ends by itself."""

import json
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from structlog.testing import capture_logs

from cli.commands.explain import command as explain
from cli.commands.switch import command as switch
from cli.commands.switches import command as switches
from config.switches import FILE, Switched, read_all, write
from config.version_files import IN_FORCE
from dialplan.caller import UNKNOWN
from dialplan.rehearse import rehearse
from dialplan.step import Turn
from engine.switches import Switches
from storage.retracing import retrace
from tests.unit.fake_services import FakeCallServices, attend, leave_after, take_over
from tests.unit.fakes import FakeLine
from tests.unit.folders import NUMBER, good_folder
from tests.unit.routes import Raw, service_number
from tests.unit.stories import terms_of
from tests.unit.test_past_call import past
from tests.unit.test_walk import TUESDAY_10

ROUTE: list[Raw] = [
    {
        "switch": {
            "strike": [{"announce": "on-strike"}],
            "evacuated": [{"announce": "gone"}, {"hangup": "busy"}],
        }
    },
    {"announce": "welcome"},
]
NOW = datetime(2026, 11, 28, 3, tzinfo=UTC)
TARGET, DESK = "+3270012345", "+3221112233"
ON = Switched(NOW, TARGET, "strike", NOW + timedelta(hours=2), "ann", "national strike")


@pytest.mark.parametrize(
    ("on", "hears", "result"),
    [
        ((), ["welcome"], "no_answer"),
        (("strike",), ["on-strike"], "closed"),
        (("evacuated",), ["gone"], "busy"),
        (("evacuated", "strike"), ["on-strike"], "closed"),
        (("another",), ["welcome"], "no_answer"),
    ],
)
def test_the_first_branch_whose_switch_is_on_is_the_rest_of_the_route(
    on: tuple[str, ...], hears: list[str], result: str
) -> None:
    number = service_number(ROUTE)
    call = rehearse(number, number.facts(TUESDAY_10, UNKNOWN, switches=on))
    assert (list(call.hears), call.result) == (hears, result)


def test_a_turn_says_which_switch_it_was() -> None:
    number = service_number(ROUTE)
    path = rehearse(number, number.facts(TUESDAY_10, UNKNOWN, switches=("strike",))).path
    assert path[0] == Turn("switch", "`strike` is on")
    path = rehearse(number, number.facts(TUESDAY_10, UNKNOWN)).path
    assert path[0] == Turn("switch", "none is on of: strike, evacuated")


# A caller on a line.


@pytest.mark.looptime
async def test_a_call_keeps_what_was_on_when_it_came_in_also_through_a_crash() -> None:
    route = [{"switch": {"strike": [{"announce": "a"}, {"announce": "b"}]}}, {"announce": "c"}]
    terms = replace(terms_of(route), switches=("strike",))
    services = FakeCallServices(terms)
    line = FakeLine()
    await leave_after(1, line, services)
    services.call_terms = replace(terms, switches=())  # it was put off meanwhile
    state = await take_over(line, services)
    assert line.heard[:2] == ["a", "b"]
    assert state.switches == ("strike",)


@pytest.mark.looptime
async def test_where_none_is_on_the_route_goes_on() -> None:
    line = FakeLine()
    await attend(line, FakeCallServices(terms_of(ROUTE)))
    assert line.heard[0] == "welcome"


def test_a_past_call_is_explained_by_what_was_on_then() -> None:
    assert retrace(past("closed", switches=("strike",)), service_number(ROUTE)).result == "closed"
    assert retrace(past("no_answer"), service_number(ROUTE)).result == "no_answer"


# The file.


def read(file: Path) -> Switches:
    found = Switches(file)
    found.read()
    return found


def test_a_switch_ends_by_itself(tmp_path: Path) -> None:
    write(tmp_path / FILE, ON)
    found = read(tmp_path / FILE)
    assert found.on(TARGET, "acme", NOW) == ("strike",)
    assert found.on(TARGET, "acme", NOW + timedelta(hours=2)) == ()
    assert found.on("+3270099999", "acme", NOW) == ()


def test_an_owners_switch_is_that_of_all_numbers_of_the_owner(tmp_path: Path) -> None:
    write(tmp_path / FILE, ON)
    write(tmp_path / FILE, replace(ON, target="acme", name="closed"))
    found = read(tmp_path / FILE)
    assert found.on(TARGET, "acme", NOW) == ("closed", "strike")
    assert found.on("+3270099999", "acme", NOW) == ("closed",)
    assert found.on("+3270099999", "other", NOW) == ()


def test_the_latest_line_of_a_switch_counts_and_all_are_kept(tmp_path: Path) -> None:
    lines = [ON, replace(ON, until=None, by="ben"), replace(ON, until=NOW + timedelta(hours=9))]
    found = Switches(tmp_path / FILE)
    for line, on in zip(lines, [("strike",), (), ("strike",)], strict=True):
        write(tmp_path / FILE, line)
        found.read()
        assert found.on(TARGET, "acme", NOW) == on
    assert read_all(tmp_path / FILE) == lines


def test_a_damaged_line_costs_itself_also_one_that_a_power_cut_has_cut(tmp_path: Path) -> None:
    file = tmp_path / FILE
    deep = "[" * 100_000
    file.write_text(f'[]\n{{"at": "x"}}\n\n{deep}\n' + ON.as_line() + ON.as_line()[:40])
    write(file, replace(ON, name="closed"))
    with capture_logs() as logs:
        assert read(file).on(TARGET, "acme", NOW) == ("closed", "strike")
    assert [line["event"] for line in logs] == ["switches_unreadable"] * 5
    assert TARGET not in f"{logs}"


def test_of_a_huge_file_the_latest_lines_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / FILE
    write(file, replace(ON, until=None))
    write(file, ON)
    monkeypatch.setattr("config.switches.MOST_BYTES", len(ON.as_line()) + 5)
    assert read(file).on(TARGET, "acme", NOW) == ("strike",)


def test_a_file_that_cannot_be_read_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / FILE
    write(file, ON)
    found = read(file)
    file.unlink()
    file.mkdir()
    with capture_logs() as logs:
        found.read()
        found.read()
    assert found.on(TARGET, "acme", NOW) == ("strike",)
    assert [line["event"] for line in logs] == ["switches_unreadable"]


def test_a_change_is_logged_and_what_an_engine_finds_at_its_start_is_not(tmp_path: Path) -> None:
    found = Switches(tmp_path / FILE)
    with capture_logs() as logs:
        found.read()
        write(tmp_path / FILE, ON)
        found.read()
        read(tmp_path / FILE)
    assert [(line["event"], line["name"], line["by"]) for line in logs] == [
        ("switch_changed", "strike", "ann")
    ]


# The commands.


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The state folder of an engine that has put a routing folder into force."""
    good_folder(tmp_path / "routing-versions" / "v1")
    text = f"{NUMBER.partition('route')[0]}route:\n  - switch: {{strike: [hangup: busy]}}\n  - ring: {DESK}\n"
    (tmp_path / "routing-versions" / "v1" / "numbers" / "main.yaml").write_text(text)
    (tmp_path / "routing-versions" / IN_FORCE).symlink_to("v1")
    settings = f'state = "{tmp_path}"\nrouting = "{tmp_path}/routing"\ndatabase = "postgresql://x"\n'
    (tmp_path / "callengine.toml").write_text(settings)
    monkeypatch.setenv("SUDO_USER", "ann")
    return tmp_path


def run(state: Path, *arguments: str) -> Result:
    return CliRunner().invoke(switch, [*arguments, "--state", str(state)])


def soon(**later: float) -> str:
    return (datetime.now(UTC) + timedelta(**later)).isoformat()


def test_who_puts_it_on_until_when_and_why_is_in_the_list(state: Path) -> None:
    reply = run(state, "3270012345", "strike", "--until", soon(hours=1), "--reason", "national strike")
    assert reply.exit_code == 0
    assert reply.output.startswith(f"{TARGET}: strike is on until 20")
    listed = CliRunner().invoke(switches, ["--state", str(state)])
    assert listed.output.startswith(f"{TARGET} strike on until ")
    assert "by ann on " in listed.output
    assert listed.output.endswith(": national strike\n")
    assert read(state / FILE).on(TARGET, "acme", datetime.now(UTC)) == ("strike",)


def test_put_off_it_is_only_in_the_list_of_all(state: Path) -> None:
    run(state, "acme", "strike", "--until", soon(hours=1), "--reason", "x", "--by", "ben")
    assert run(state, "acme", "strike", "--off").output == "acme: strike is off\n"
    assert CliRunner().invoke(switches, ["--state", str(state)]).output == ""
    every = CliRunner().invoke(switches, ["--state", str(state), "--all", "--format", "json"])
    assert [(one["by"], one["until"] is None) for one in json.loads(every.output)] == [
        ("ben", False),
        ("ann", True),
    ]


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        (
            ["+3270012345", "stroke", "--until", soon(hours=1), "--reason", "x"],
            "has no switch stroke; it has",
        ),
        (["+3270099999", "strike", "--until", soon(hours=1), "--reason", "x"], "no number and no owner"),
        (["acme", "strike", "--until", soon(hours=-1), "--reason", "x"], "is over"),
        (["acme", "strike", "--until", soon(days=400), "--reason", "x"], "more than a year away"),
        (["acme", "strike", "--until", soon(hours=1)], "write why"),
        (["acme", "strike"], "write either --until TIME, or --off"),
        (["acme", "strike", "--off", "--until", soon(hours=1)], "write either --until TIME, or --off"),
    ],
)
def test_what_would_have_no_effect_is_refused(state: Path, arguments: list[str], wrong: str) -> None:
    reply = run(state, *arguments)
    assert reply.exit_code != 0
    assert wrong in reply.output
    assert not (state / FILE).exists()


def test_without_a_readable_routing_it_is_put_on_unchecked(state: Path) -> None:
    (state / "routing-versions" / IN_FORCE).unlink()
    reply = run(state, "acme", "strike", "--until", soon(hours=1), "--reason", "x")
    assert reply.exit_code == 0
    assert "not checked" in reply.output


def test_a_link_in_place_of_the_file_is_refused(state: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (state / FILE).symlink_to(elsewhere)
    assert run(state, "acme", "strike", "--until", soon(hours=1), "--reason", "x").exit_code != 0
    assert not elsewhere.exists()


def test_a_new_file_belongs_to_the_owner_of_the_folder(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given, fchown = [], os.fchown

    def noted(file: int, user: int, group: int) -> None:
        given.append((user, group))
        fchown(file, user, group)

    monkeypatch.setattr(os, "fchown", noted)
    if os.geteuid() == 0:  # only root can give a file to somebody else; without root it must try
        os.chown(state, 12345, 23456)
    run(state, "acme", "strike", "--until", soon(hours=1), "--reason", "x")
    folder, file = state.stat(), (state / FILE).stat()
    assert given == [(folder.st_uid, folder.st_gid)] == [(file.st_uid, file.st_gid)]


def test_explain_supposes_that_it_is_on(state: Path) -> None:
    folder = str(state / "routing-versions" / "v1")
    reply = CliRunner().invoke(explain, [folder, TARGET, "--switch", "strike"])
    assert "switch    `strike` is on" in reply.output
    assert "busy" in reply.output
    unknown = CliRunner().invoke(explain, [folder, TARGET, "--switch", "stroke"])
    assert "no switch stroke; it has: strike" in unknown.output
