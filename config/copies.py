"""Copies of routing folders: the digest of their content, and a durable copy of a whole folder."""

import json
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

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


class StoredFile(NamedTuple):
    """What a stored version knows of one of its files, which is never changed."""

    sha256: str
    size: int
    changed_ns: int


type Manifest = Mapping[str, StoredFile]


def copy(
    folder: Path, draft: Path, previous: Path, manifest: Manifest, known: Mapping[str, str] | None
) -> Manifest:
    """Copy the files of a routing folder durably; files that `previous` has too are linked to it.

    `manifest`: that of `previous`. `known`: the SHA-256 of each file to copy, which is not read if it has
    that SHA-256 in `previous`; without it, all files of the folder are. Return the manifest of the copy.
    Raises OSError.
    """
    names = known or [str(file)[len(str(folder)) + 1 :] for file in list_files(folder).all]
    known = known or {}
    for part in {"owners", "numbers", *(name.rpartition("/")[0] for name in names)}:
        (draft / part).mkdir(parents=True, exist_ok=True)
    same = {name: it for name in names if (it := manifest.get(name)) and known.get(name) == it.sha256}
    stored = _linked(same, previous, draft) if same else {}
    written = []
    for name in names:
        if name in stored:
            continue
        data, place = (folder / name).read_bytes(), draft / name
        if not _linked_if_equal(data, place, previous / name):
            place.write_bytes(data)
            place.chmod(0o440)
            written.append(place)
        stat = place.stat()
        stored[name] = StoredFile(sha256(data).hexdigest(), stat.st_size, stat.st_mtime_ns)
    _make_durable(draft, written)
    return stored


def _make_durable(draft: Path, written: list[Path]) -> None:
    """Sync what was written. If root wrote it, give it to the owner of the versions: the engine reads it."""
    folders = list(_folders(draft))
    if os.geteuid() == 0:
        owner = draft.parent.stat()
        for path in (*written, *folders):
            os.chown(path, owner.st_uid, owner.st_gid)
    with ThreadPoolExecutor(FSYNCS_AT_ONCE) as pool:
        list(pool.map(sync, written))
        list(pool.map(sync, folders))


def digest_of_manifest(manifest: Manifest) -> str:
    return digest_of({name: stored.sha256 for name, stored in manifest.items()})


def read_manifest(file: Path) -> Manifest:
    """Return the manifest in this file; an empty one if it cannot be used."""
    try:
        return {name: StoredFile(*stored) for name, stored in json.loads(file.read_bytes()).items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _linked(files: Manifest, previous: Path, draft: Path) -> dict[str, StoredFile]:
    """Link these files of the version before into `draft`, but for those touched since; return them.

    By names within two open folders: of 10,000 whole paths the kernel would walk each part again.
    """
    linked: dict[str, StoredFile] = {}
    with _opened(previous) as source, _opened(draft) as target:
        for name, known in files.items():
            with suppress(OSError):
                stat = os.stat(name, dir_fd=source)
                if (stat.st_size, stat.st_mtime_ns) == (known.size, known.changed_ns):
                    os.link(name, name, src_dir_fd=source, dst_dir_fd=target)
                    linked[name] = known
    return linked


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield opened
    finally:
        os.close(opened)


def _linked_if_equal(data: bytes, place: Path, previous: Path) -> bool:
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
