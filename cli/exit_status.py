"""The exit status of every command."""

from enum import IntEnum
from typing import NoReturn

import click


class ExitStatus(IntEnum):
    """0, 1 and 2 mean the same for every command; anything else is a signal's or a crash's."""

    OK = 0
    FAILED = 1  # an error, a finding of the audit, a recording that could not be changed
    USAGE = 2  # wrong options or arguments; click uses it by itself


def end_with(status: ExitStatus) -> NoReturn:
    """End the command. Everything has been printed already."""
    raise click.exceptions.Exit(status)
