"""The files in the state folder of a run that only its user may read."""

import os
from pathlib import Path

from storage.key_wrapper import new_master_key


def master_key(state: Path) -> str:
    """The master key of this state folder, created the first time, so that the next run can use it."""
    file = state / "master_key"
    if not file.exists():
        write_private(file, new_master_key())
    return file.read_text()


def write_private(path: Path, text: str) -> None:
    """Write the file atomically and readable only by this user: it contains passwords."""
    draft = path.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    draft.rename(path)
