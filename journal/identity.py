"""The id of a journal, with which a database stores the journal position; no other journal has this id.

A state folder that is new, or restored from a backup, contains another journal, whatever the names of its
segments are.
"""

import os
import uuid
from pathlib import Path

from journal.disk import sync_directory

NAME = "id"


def identity(directory: Path) -> str | None:
    """Return the id of the journal in this folder, created if it is missing; None if there is no such folder.

    Engine and worker may both be the first to ask. Raises OSError.
    """
    file = directory / NAME
    if not file.exists():
        if not directory.is_dir():
            return None
        _make(file)
    return file.read_text("ascii").strip()


def _make(file: Path) -> None:
    """Create it, whole and durable, or not at all."""
    draft = file.with_name(f"{NAME}.{uuid.uuid4().hex}")
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, f"{uuid.uuid4()}\n".encode("ascii"))
        os.fsync(fd)
    finally:
        os.close(fd)
    try:
        os.link(draft, file)
    except FileExistsError:
        pass  # another process was first
    finally:
        draft.unlink()
    sync_directory(file.parent)
