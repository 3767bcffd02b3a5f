"""Read a routing folder for a command: by the settings' rules; or print every error and exit with 1."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

import click

from cli.exit_status import ExitStatus, end_with
from config.cache import Cache
from config.errors import ConfigErrors
from config.load import load, load_with_hashes
from config.rules import policy_of, trunk_errors
from config.settings import Settings, SettingsError, load_settings
from dialplan.routing import Routing


def read_or_exit(folder: Path, settings: Path | None) -> Routing:
    """The routing of the folder; or print its errors to standard output, one a line, and exit with 1."""
    try:
        effective = load_settings(settings)
    except SettingsError as error:
        raise click.ClickException(str(error)) from None
    try:
        return load(folder, policy_of(effective))
    except ConfigErrors as errors:
        _print_and_exit(errors, effective)


def read_changed_or_exit(folder: Path, settings: Settings) -> tuple[str, Mapping[str, str]]:
    """Read what changed in a folder since this user read it; return its digest and its files' SHA-256.

    Print its errors and exit with 1, as read_or_exit() does.
    """
    policy = policy_of(settings)
    file, rules = _cache_file(), policy.rules
    cache = Cache.of(file, rules)
    try:
        routing, hashes = load_with_hashes(folder, policy, cache)
    except ConfigErrors as errors:
        _print_and_exit(errors, settings)
    finally:
        cache.write(file, rules)
    return routing.digest, hashes


def _cache_file() -> Path:
    """This user's: root must not unpickle what another user wrote."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "callengine" / "routing"


def _print_and_exit(errors: ConfigErrors, settings: Settings) -> NoReturn:
    """A trunk whose file is wrong allows no domain: its error is printed too."""
    for error in errors.errors:
        click.echo(error)
    for wrong in trunk_errors(settings):
        click.echo(f"not counted: {wrong}", err=True)
    count = "1 error" if len(errors.errors) == 1 else f"{len(errors.errors)} errors"
    click.echo(f"{count}: this routing folder would not go live", err=True)
    end_with(ExitStatus.FAILED)
