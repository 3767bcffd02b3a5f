"""The folder of credentials: one file for each password, named after its setting."""

import os
from pathlib import Path


def credentials_folder(settings_file: Path) -> Path | None:
    """The folder that systemd names to a unit, else the one beside the settings file, for root's commands.

    None if this user can read neither.
    """
    if named := os.environ.get("CREDENTIALS_DIRECTORY"):
        return Path(named)
    beside = folder_beside(settings_file)
    return beside if os.access(beside, os.R_OK | os.X_OK) else None


def folder_beside(settings_file: Path) -> Path:
    """The folder `credentials` beside the settings file."""
    return settings_file.parent / "credentials"
