"""Only the owners of a routing folder: retentions need nothing else."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from config.errors import ConfigErrors
from config.folder import list_files
from config.reading import Reading
from dialplan.number import Owner


def retentions(folder: Path) -> Mapping[str, timedelta]:
    """Return how long each owner keeps recordings. Raises ConfigErrors."""
    return {name: owner.keep_recordings for name, owner in owners_in(folder).items()}


def owners_in(folder: Path) -> Mapping[str, Owner]:
    """Return the owners by name. Raises ConfigErrors."""
    files = list_files(folder)
    reading = Reading(folder, list(files.errors))
    owners = reading.owners(files.owners)
    if reading.errors:
        raise ConfigErrors(reading.errors)
    return owners
