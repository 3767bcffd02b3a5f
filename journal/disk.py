"""Making a file survive a power cut: its bytes, and its name."""

import os
from pathlib import Path


def sync(path: Path) -> None:
    """Sync the bytes of this file, whichever process wrote them. Raises OSError."""
    _sync(path, os.O_RDONLY)


def sync_directory(directory: Path) -> None:
    """Sync the names in this directory: those added, and the removal of those unlinked."""
    _sync(directory, os.O_RDONLY | os.O_DIRECTORY)


def files_of(folder: Path, begin: str) -> list[Path]:
    """Return the files of `folder` whose names start with `begin`; none without a folder. Raises OSError.

    Not glob(): each of its patterns stays in memory, compiled, and costs 0.5 ms.
    """
    try:
        return [folder / name for name in os.listdir(folder) if name.startswith(begin)]
    except FileNotFoundError:
        return []


def _sync(path: Path, flags: int) -> None:
    fd = os.open(path, flags | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
