"""Read a routing folder for a command: by the settings' rules; or print every error and exit with 1."""

from pathlib import Path
from typing import NoReturn

import click

from cli.exit_status import ExitStatus, end_with
from config.errors import ConfigErrors
from config.load import load
from config.policy import Policy
from config.settings import SettingsError, load_settings
from dialplan.routing import Routing


def read_or_exit(folder: Path, settings: Path | None) -> Routing:
    """The routing of the folder; or print its errors to standard output, one a line, and exit with 1."""
    try:
        return load(folder, Policy(load_settings(settings).destinations.countries))
    except SettingsError as error:
        raise click.ClickException(str(error)) from None
    except ConfigErrors as errors:
        _print_and_exit(errors)


def _print_and_exit(errors: ConfigErrors) -> NoReturn:
    for error in errors.errors:
        click.echo(error)
    count = "1 error" if len(errors.errors) == 1 else f"{len(errors.errors)} errors"
    click.echo(f"{count}: this routing folder would not go live", err=True)
    end_with(ExitStatus.FAILED)
