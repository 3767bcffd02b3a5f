"""Folders on a disk of their own have a mark: an empty folder, where the disk is not mounted, does not."""

from contextlib import suppress
from pathlib import Path

from journal.disk import sync_directory

MARK = ".callengine"  # an empty file in the folder


def another(folder: Path, marked: Path) -> str:
    """Return why this folder is not the one that was used so far, with the remedy; "" if it is.

    `marked`: a file in the worker's state folder; it exists once the folder has its mark. The first time,
    make the mark; where that is impossible, any folder is the one.
    """
    mark = folder / MARK
    if not mark.exists():
        if marked.exists():
            return (
                f"{folder} is not the folder with the audio so far: mount its disk; "
                f"if you have replaced it on purpose, remove {marked}"
            )
        try:
            mark.touch(0o600)
            sync_directory(folder)
        except OSError:
            return ""
    if not marked.exists():
        with suppress(OSError):
            marked.touch(0o600)
    return ""
