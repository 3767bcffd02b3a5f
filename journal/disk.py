"""What it takes until a disk has something, beyond a power cut: the file's bytes, and its name."""

import os
from pathlib import Path


def sync(path: Path) -> None:
    """Have what somebody else wrote to this file on the disk. Raises OSError."""
    _sync(path, os.O_RDONLY)


def sync_directory(directory: Path) -> None:
    """Have the names in this directory on the disk: made ones, and that unlinked ones are gone."""
    _sync(directory, os.O_RDONLY | os.O_DIRECTORY)


def _sync(path: Path, flags: int) -> None:
    fd = os.open(path, flags | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
