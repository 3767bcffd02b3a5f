"""Copies of routing folders: the digest of their content, and a durable copy of a whole folder."""

import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

from config.folder import list_files

FSYNCS_AT_ONCE = 16  # ext4 commits them together: docs/decisions/011-routing-versions.md


class FolderChangedError(Exception):
    """The folder was changed between reading and copying it."""


def content_digest(folder: Path) -> str:
    """Return the digest of the files of a folder; empty if the folder contains something unreadable.

    Raises PermissionError.
    """
    files = list_files(folder)
    if files.errors:
        return ""
    try:
        return digest_of({file.relative_to(folder).as_posix(): sha256_of(file) for file in files.all})
    except PermissionError:
        raise
    except OSError:
        return ""


def digest_of(hashes: Mapping[str, str]) -> str:
    """Return the digest (SHA-256, hex) of a routing folder, from the SHA-256 of each file by its path."""
    lines = "".join(f"{name}\0{digest}\n" for name, digest in sorted(hashes.items()))
    return sha256(lines.encode()).hexdigest()


def sha256_of(file: Path) -> str:
    return sha256(file.read_bytes()).hexdigest()


def copy(folder: Path, draft: Path, previous: Path) -> str:
    """Copy the files of a routing folder durably; files that `previous` has too are linked to it.

    Return the digest of the copy. Raises OSError.
    """
    files = list_files(folder)
    for part in ("owners", "numbers"):
        (draft / part).mkdir(parents=True, exist_ok=True)
    hashes, written = {}, []
    for file in files.all:
        name = file.relative_to(folder)
        place, data = draft / name, file.read_bytes()
        hashes[name.as_posix()] = sha256(data).hexdigest()
        place.parent.mkdir(parents=True, exist_ok=True)
        if not _linked(data, place, previous / name):
            place.write_bytes(data)
            place.chmod(0o440)
            written.append(place)
    with ThreadPoolExecutor(FSYNCS_AT_ONCE) as pool:
        list(pool.map(sync, written))
        list(pool.map(sync, _folders(draft)))
    return digest_of(hashes)


def _linked(data: bytes, place: Path, previous: Path) -> bool:
    """Link `place` to the same content at `previous`; return False if it differs, or cannot be linked."""
    try:
        if previous.read_bytes() != data:
            return False
        os.link(previous, place)
    except OSError:  # a new file; or the file system allows no more links
        return False
    return True


def _folders(draft: Path) -> Iterator[Path]:
    yield from (Path(folder) for folder, _, _ in os.walk(draft))


def sync(path: Path) -> None:
    """Sync a file, or the names in a folder, to the disk."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
