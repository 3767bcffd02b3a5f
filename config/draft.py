"""A version that is being written: links to files of the version before, and copies of what is new."""

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path

from config.copies import FolderChangedError, Manifest, StoredFile, sync
from config.folder import list_files

FSYNCS_AT_ONCE = 16  # ext4 commits them together: docs/decisions/011-routing-versions.md


class Draft:
    """`place`: its folder. `previous`: the version before, `manifest`: its files."""

    def __init__(self, place: Path, previous: Path, manifest: Manifest) -> None:
        self.place = place
        self._previous = previous
        self._manifest = manifest
        self._stored: dict[str, StoredFile] = {}
        shutil.rmtree(place, ignore_errors=True)

    def link_all(self) -> None:
        """Link every file of the version before: most are the same in the next one. Raises OSError."""
        self._link(self._manifest)

    def complete(self, folder: Path, known: Mapping[str, str] | None) -> Manifest:
        """Make this a durable copy of the files of a routing folder; return its manifest.

        `known`: the SHA-256 of each file to copy, which is not read if it has that SHA-256 in the version
        before; without it, all files of the folder are. Raises FolderChangedError and OSError.
        """
        names = known or [str(file)[len(str(folder)) + 1 :] for file in list_files(folder).all]
        known = known or {}
        same = {
            name: it for name in names if (it := self._manifest.get(name)) and known.get(name) == it.sha256
        }
        for name in self._stored.keys() - same.keys():
            (self.place / name).unlink()
            del self._stored[name]
        self._link({name: it for name, it in same.items() if name not in self._stored})
        written = self._write_others(folder, names)
        self._remove_folders_without(names)
        self._make_durable(written)
        return self._stored

    def remove(self) -> None:
        shutil.rmtree(self.place, ignore_errors=True)

    def _link(self, files: Manifest) -> None:
        """Link these files of the version before, but for those touched since.

        By names within two open folders: of 10,000 whole paths the kernel would walk each part again.
        """
        self._make_folders(files)
        if not files:
            return
        with _opened(self._previous) as source, _opened(self.place) as target:
            for name, known in files.items():
                with suppress(OSError):
                    stat = os.stat(name, dir_fd=source, follow_symlinks=False)
                    if (stat.st_size, stat.st_mtime_ns) == (known.size, known.changed_ns):
                        os.link(name, name, src_dir_fd=source, dst_dir_fd=target, follow_symlinks=False)
                        self._stored[name] = known

    def _write_others(self, folder: Path, names: Iterable[str]) -> list[Path]:
        """Copy the files that are not linked yet; return those that were written."""
        others = [name for name in names if name not in self._stored]
        self._make_folders(others)
        written = []
        for name in others:
            data, place = (folder / name).read_bytes(), self.place / name
            if not _linked_if_equal(data, place, self._previous / name):
                with place.open("xb") as opened:  # never through a link
                    opened.write(data)
                place.chmod(0o440)
                written.append(place)
            stat = place.stat()
            self._stored[name] = StoredFile(sha256(data).hexdigest(), stat.st_size, stat.st_mtime_ns)
        return written

    def _make_folders(self, names: Iterable[str]) -> None:
        for part in _folders_of(names):
            (self.place / part).mkdir(parents=True, exist_ok=True)

    def _remove_folders_without(self, names: Iterable[str]) -> None:
        """Remove the folders that only the version before had."""
        for part in sorted(_folders_of(self._manifest) - _folders_of(names), reverse=True):
            folder = self.place / part
            while folder != self.place:
                with suppress(OSError):  # other files are in it, or it was never made
                    folder.rmdir()
                folder = folder.parent

    def _make_durable(self, written: list[Path]) -> None:
        """Sync what was written. If root wrote it, give it to the owner of the versions."""
        walked = list(os.walk(self.place))
        if sum(len(files) for _, _, files in walked) != len(self._stored):
            raise FolderChangedError(self.place)  # an engine that starts removes drafts
        folders = [Path(folder) for folder, _, _ in walked]
        if os.geteuid() == 0:
            owner = self.place.parent.stat()
            for path in (*written, *folders):
                os.chown(path, owner.st_uid, owner.st_gid)
        _sync_all(written)
        _sync_all(folders)


def _folders_of(names: Iterable[str]) -> set[str]:
    return {"owners", "numbers", *(name.rpartition("/")[0] for name in names)}


def _sync_all(paths: list[Path]) -> None:
    """Sync them, many at once; few without the module for that, whose import takes longer."""
    if len(paths) <= FSYNCS_AT_ONCE:
        for path in paths:
            sync(path)
        return
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - 5 ms, mostly not needed

    with ThreadPoolExecutor(FSYNCS_AT_ONCE) as pool:
        list(pool.map(sync, paths))


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield opened
    finally:
        os.close(opened)


def _without_link(file: str, flags: int) -> int:
    return os.open(file, flags | os.O_NOFOLLOW)


def _linked_if_equal(data: bytes, place: Path, previous: Path) -> bool:
    """Link `place` to the same content at `previous`; return False if it differs, or cannot be linked."""
    try:
        with open(previous, "rb", opener=_without_link) as opened:
            if opened.read() != data:
                return False
        os.link(previous, place, follow_symlinks=False)
    except OSError:  # a new file; or the file system allows no more links
        return False
    return True
