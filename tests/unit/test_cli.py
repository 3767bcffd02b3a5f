"""The command line: every command is there, explains itself, and costs only its own imports."""

import subprocess
import sys
from importlib import import_module

import click
import pytest
from click.testing import CliRunner

from cli.__main__ import COMMANDS, main

NAMES = sorted(file.stem for file in COMMANDS.glob("[a-z]*.py"))


def call(*arguments: str) -> tuple[int, str]:
    shown = CliRunner().invoke(main, arguments, terminal_width=100)
    return shown.exit_code, shown.output


def test_help_lists_each_command_with_what_it_does() -> None:
    code, text = call("--help")
    listed = dict(
        line.strip().split(maxsplit=1)
        for line in text.partition("Commands:\n")[2].splitlines()
        if line[:3] == "  " + line.strip()[:1]
    )
    assert code == 0
    assert sorted(listed) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_help_for_itself_and_each_of_its_options(name: str) -> None:
    command = import_module(f"cli.commands.{name}").command
    assert isinstance(command, click.Command)
    assert command.help
    options = [option for option in command.params if isinstance(option, click.Option) and not option.hidden]
    silent = [it.name for it in options if not it.help and not isinstance(it.type, click.Choice)]
    assert silent == [], "a choice tells its values; everything else has to be explained"


@pytest.mark.parametrize("name", NAMES)
def test_every_command_answers_to_help(name: str) -> None:
    code, text = call(name, "--help")
    assert code == 0
    assert text.startswith("Usage: ")


def test_an_unknown_command_is_told_its_nearest() -> None:
    assert call("settigns") == (
        2,
        "Usage: main [OPTIONS] COMMAND [ARGS]...\nTry 'main --help' for help.\n\n"
        "Error: There is no command settigns. Did you mean settings?\n",
    )


def test_a_command_like_no_other_is_told_what_there_is() -> None:
    code, text = call("zzz")
    assert code == 2
    assert "There is no command zzz. The commands are: " in text
    assert "settings" in text


def test_help_imports_nothing_heavy() -> None:
    """What makes a start slow is imports: they are looked at, since a time would depend on the machine."""
    program = (
        "import sys\nfrom cli.__main__ import main\nmain(['--help'], standalone_mode=False)\n"
        "print([m for m in ('pydantic', 'aiohttp', 'asyncpg', 'holidays', 'structlog') if m in sys.modules])"
    )
    shown = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30
    )
    assert shown.stdout.endswith("\n[]\n")


def test_the_version_is_the_one_installed() -> None:
    code, text = call("--version")
    assert code == 0
    assert text.startswith("callengine 0.")
