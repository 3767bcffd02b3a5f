"""The owners as they are in force on this host, for commands."""

from collections.abc import Mapping
from pathlib import Path

import click

from config.errors import ConfigErrors
from config.owner_changes import changes_in
from config.owners import owners_in
from config.settings import Settings
from config.versions import Versions
from dialplan.number import Owner


def owners_in_force(settings: Settings) -> Mapping[str, Owner]:
    """By name, with the owners' own changes. Raises ClickException where no routing is in force here."""
    return changes_in(settings.state, logs=False).apply_all(grounds_in_force(settings))


def grounds_in_force(settings: Settings) -> Mapping[str, Owner]:
    """By name, as the operator's files have them. Raises ClickException."""
    in_force = Versions(settings.routing_versions).in_force
    try:
        return owners_in(in_force.resolve(strict=True))
    except (OSError, ConfigErrors):
        raise click.ClickException(
            f"no routing is in force in {in_force.parent}: run this on a host of an engine, as a user who "
            "may read its state folder"
        ) from None


def owner_in_folder(folder: Path, name: str) -> Owner | None:
    """The owner as the operator's file has it now; None if it is missing, or the folder has errors."""
    try:
        return owners_in(folder).get(name)
    except (OSError, ConfigErrors):
        return None
