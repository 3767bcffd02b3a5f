"""The owners of a routing folder alone: what becomes of recordings needs nothing else of it."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from config.errors import ConfigErrors
from config.folder import list_files
from config.reading import Reading


def retentions(folder: Path) -> Mapping[str, timedelta]:
    """How long each owner keeps recordings, by owner. Raises ConfigErrors with what is wrong."""
    files = list_files(folder)
    reading = Reading(folder, list(files.errors))
    owners = reading.owners(files.owners)
    if reading.errors:
        raise ConfigErrors(reading.errors)
    return {name: owner.keep_recordings for name, owner in owners.items()}
