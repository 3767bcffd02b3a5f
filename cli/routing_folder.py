"""The routing folder as commands get it: read under the settings' rules, or every error and exit status 1."""

from pathlib import Path
from typing import NoReturn

import click

from config.errors import ConfigErrors
from config.load import load
from config.policy import Policy
from config.settings import SettingsError, load_settings
from dialplan.routing import Routing


def read_or_exit(folder: Path, settings: Path | None) -> Routing:
    """All that the folder says; else its errors on standard output, one a line, and exit status 1."""
    try:
        return load(folder, Policy(load_settings(settings).destinations.countries))
    except SettingsError as wrong:
        raise click.ClickException(str(wrong)) from None
    except ConfigErrors as wrong:
        _tell(wrong)


def _tell(wrong: ConfigErrors) -> NoReturn:
    for error in wrong.errors:
        click.echo(error)
    many = "1 error" if len(wrong.errors) == 1 else f"{len(wrong.errors)} errors"
    click.echo(f"{many}: this routing folder would not go live", err=True)
    raise click.exceptions.Exit(1)
