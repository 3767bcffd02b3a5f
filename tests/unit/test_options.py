"""An option has one name, one meaning and one format in all commands; earlier spellings still work."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from cli import options
from cli.__main__ import COMMANDS
from cli.commands import messages

# Options of cli.options: wherever a command has one of these, it is this one, with its words.
SHARED = {
    "--settings": options.settings_option(),
    "--state": options.state_option(),
    "--database": options.database_option(),
    "--owner": options.owner_option(),
    "--number": options.number_option(),
    "--since": options.since_option(),
    "--until": options.until_option(),
    "--format": options.format_option(*options.FORMATS),
}
# Not a period to look at, but when a switch goes off by itself; not a selection, but what is set up.
OTHERWISE = {
    ("switch", "--until"),
    *(("quickstart", name) for name in ("--database", "--owner", "--number")),
    ("backup", "--out"),  # a folder too
}


def walk(name: str, command: click.Command) -> Iterator[tuple[str, click.Option]]:
    """Each option of a command and of its sub-commands, with the command's full name."""
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            yield name, parameter
    if isinstance(command, click.Group):
        for sub_name, sub_command in command.commands.items():
            yield from walk(f"{name} {sub_name}", sub_command)


def all_options() -> list[tuple[str, click.Option]]:
    names = sorted(file.stem for file in COMMANDS.glob("[a-z]*.py"))
    commands = [(name, import_module(f"cli.commands.{name}").command) for name in names]
    return [found for name, command in commands for found in walk(name, command)]


def format_of(option: click.Option) -> tuple[object, ...]:
    """How a value of this option is written."""
    kind = type(option.type).__name__
    return kind, option.metavar, option.is_flag, option.type.name


def shared(name: str) -> click.Option:
    @click.command()
    @SHARED[name]
    def command() -> None:
        """A command with one option."""

    (option,) = command.params
    assert isinstance(option, click.Option)
    return option


OPTIONS = all_options()


def test_the_walk_reaches_sub_commands_too() -> None:
    assert {("recordings list", "--owner"), ("messages", "--in-state"), ("dev", "--state")} <= {
        (name, option.opts[0]) for name, option in OPTIONS
    }


def test_options_of_one_name_have_one_format_in_all_commands() -> None:
    formats: dict[str, dict[tuple[object, ...], list[str]]] = {}
    for name, option in OPTIONS:
        for spelling in option.opts:
            if (name, spelling) in OTHERWISE:
                continue
            formats.setdefault(spelling, {}).setdefault(format_of(option), []).append(name)
    assert {spelling: found for spelling, found in formats.items() if len(found) > 1} == {}


@pytest.mark.parametrize("name", SHARED)
def test_a_shared_option_means_the_same_in_all_commands(name: str) -> None:
    commands = {
        command: option
        for command, option in OPTIONS
        if name in option.opts and (command, name) not in OTHERWISE
    }
    meaning = str(shared(name).help)
    assert len(commands) > 1
    helps = {command: str(option.help) for command, option in commands.items()}
    assert {command: text for command, text in helps.items() if not text.startswith(meaning)} == {}
    assert {option.name for option in commands.values()} == {shared(name).name}


def test_options_that_mean_the_same_have_no_second_name() -> None:
    helps: dict[str, set[str]] = {}
    for _, option in OPTIONS:
        if option.help:
            helps.setdefault(option.help, set()).add(option.opts[0])
    assert {text: names for text, names in helps.items() if len(names) > 1} == {}


def test_a_format_is_one_of_three_and_json_is_always_among_them() -> None:
    for _, option in OPTIONS:
        if "--format" in option.opts:
            assert isinstance(option.type, click.Choice)
            choices = list(option.type.choices)
            assert set(choices) <= set(options.FORMATS)
            assert "json" in choices[1:], "a program asks for it; the default is for people"


def test_each_visible_option_is_explained_by_a_sentence() -> None:
    wrong = {
        f"{name} {option.opts[0]}": option.help
        for name, option in OPTIONS
        if not option.hidden and not (option.help and option.help[0].isupper() and option.help[-1] == ".")
    }
    assert wrong == {}


@pytest.fixture
def listed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, object]]]:
    """The database and the filters of each list that was printed."""
    calls: list[tuple[str, dict[str, object]]] = []

    async def print_list(url: str, form: str, filters: dict[str, object]) -> None:
        calls.append((url, {name: value for name, value in filters.items() if value is not None}))

    monkeypatch.setattr(messages, "print_list", print_list)
    return calls


@pytest.fixture
def state(tmp_path: Path) -> Path:
    (tmp_path / "endpoints.json").write_text('{"database": "postgresql://dev"}')
    return tmp_path


@pytest.mark.parametrize("spelling", ["--state", "--run"])
def test_messages_finds_the_database_of_a_dev_run_by_the_new_name_and_the_old(
    listed: list[tuple[str, dict[str, object]]], state: Path, spelling: str
) -> None:
    done = CliRunner().invoke(messages.command, [spelling, str(state)])
    assert (done.exit_code, listed) == (0, [("postgresql://dev", {})])


@pytest.mark.parametrize("spelling", ["--in-state", "--state"])
def test_messages_are_filtered_by_their_state_by_the_new_name_and_the_old(
    listed: list[tuple[str, dict[str, object]]], spelling: str
) -> None:
    done = CliRunner().invoke(messages.command, ["--database", "postgresql://x", spelling, "waiting"])
    assert (done.exit_code, listed) == (0, [("postgresql://x", {"message_state": "waiting"})])
    assert ("write --in-state waiting" in done.stderr) == (spelling == "--state")
