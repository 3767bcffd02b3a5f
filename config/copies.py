"""Copies of routing folders: the digest of their content, and the manifest of a stored one."""

import json
import os
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from config.folder import list_files


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


class StoredFile(NamedTuple):
    """What a stored version knows of one of its files, which is never changed."""

    sha256: str
    size: int
    changed_ns: int


type Manifest = Mapping[str, StoredFile]


def digest_of_manifest(manifest: Manifest) -> str:
    return digest_of({name: stored.sha256 for name, stored in manifest.items()})


def read_manifest(file: Path) -> Manifest:
    """Return the manifest in this file; an empty one if it cannot be used."""
    try:
        return {name: StoredFile(*stored) for name, stored in json.loads(file.read_bytes()).items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def sync(path: Path) -> None:
    """Sync a file, or the names in a folder, to the disk."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
