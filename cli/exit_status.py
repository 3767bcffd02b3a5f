"""The exit status of every command."""

from enum import IntEnum
from typing import NoReturn

import click

_at_once = False


class ExitStatus(IntEnum):
    """0, 1 and 2 mean the same for every command; anything else is a signal's or a crash's."""

    OK = 0
    FAILED = 1  # an error, a finding of the audit, a recording that could not be changed
    USAGE = 2  # wrong options or arguments; click uses it by itself


def end_at_once() -> None:
    """Let the process end without taking apart what it has read: 0.1 s for 10,000 numbers. See program()."""
    global _at_once  # noqa: PLW0603 - a process runs one command
    _at_once = True


def ends_at_once() -> bool:
    """Whether the command wants that."""
    return _at_once


def end_with(status: ExitStatus) -> NoReturn:
    """End the command. Everything has been printed already."""
    raise click.exceptions.Exit(status)
