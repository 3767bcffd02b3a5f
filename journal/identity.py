"""The id of a journal, by which a database notes how far it has come: no other one of its node has it.

A state folder that is made anew, or restored from a backup, holds another journal, whatever its segments are
called.
"""

import os
import uuid
from pathlib import Path

from journal.disk import sync_directory

NAME = "id"


def identity(directory: Path) -> str | None:
    """The id of the journal in this folder, made if it has none yet; None: there is no such folder.

    Engine and worker may both ask first. Raises OSError.
    """
    file = directory / NAME
    if not file.exists():
        if not directory.is_dir():
            return None
        _make(file)
    return file.read_text("ascii").strip()


def _make(file: Path) -> None:
    """Whole and durable, or not at all."""
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
        pass  # the other one was first
    finally:
        draft.unlink()
    sync_directory(file.parent)
