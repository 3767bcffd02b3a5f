"""Objects as files of a directory, on a disk of this host or one that is mounted."""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from journal.disk import files_of, sync_directory
from journal.fault import point
from storage.objects import ObjectExists, ObjectMissing, ObjectsTrouble, Stored
from storage.same_folder import another

PART = ".part"  # the end of a draft's name: NAME.<random>.part


class Directory:
    """A file appears whole or not at all, and is synced to disk, with its name, before `put` returns.

    `marked`: see storage/same_folder.py; None: any folder will do.
    """

    def __init__(self, folder: Path, marked: Path | None = None) -> None:
        self._folder = folder
        self._marked = marked

    async def put(self, name: str, data: bytes) -> None:
        await in_thread(self._put, name, data)

    async def get(self, name: str) -> bytes:
        return await in_thread(self._get, name)

    async def size(self, name: str) -> int:
        return await in_thread(self._size, name)

    async def read(self, name: str, start: int, size: int) -> bytes:
        return await in_thread(self._read, name, start, size)

    async def delete(self, name: str) -> int:
        return await in_thread(self._delete, name)

    async def all(self, prefix: str = "") -> AsyncIterator[Stored]:
        for stored in await in_thread(self._all, prefix):
            yield stored

    async def objections(self) -> list[str]:
        try:
            await in_thread(self._try)
        except ObjectsTrouble as trouble:
            return [f"{trouble} (objects.directory in the settings; the worker must own it)"]
        return []

    async def close(self) -> None:
        """There is nothing to close."""

    def _put(self, name: str, data: bytes) -> None:
        self._look()
        file = self._path(name)
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = file.with_name(f"{file.name}.{secrets.token_hex(4)}{PART}")
        try:
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
                out.write(data)
                out.flush()
                point("object.before_sync")
                os.fsync(out.fileno())
            point("object.before_link")
            os.link(draft, file)  # unlike a rename, it refuses to replace
        except FileExistsError:
            raise ObjectExists(name) from None
        finally:
            draft.unlink(missing_ok=True)
        point("object.after_link")
        sync_directory(file.parent)

    def _get(self, name: str) -> bytes:
        self._look()
        try:
            return self._path(name).read_bytes()
        except FileNotFoundError:
            raise ObjectMissing(name) from None

    def _size(self, name: str) -> int:
        try:
            return self._path(name).stat().st_size
        except FileNotFoundError:
            raise ObjectMissing(name) from None

    def _read(self, name: str, start: int, size: int) -> bytes:
        try:
            with self._path(name).open("rb") as file:
                file.seek(start)
                return file.read(size)
        except FileNotFoundError:
            raise ObjectMissing(name) from None

    def _delete(self, name: str) -> int:
        self._look()
        file = self._path(name)
        deleted = 0
        drafts = files_of(file.parent, f"{file.name}.")
        for copy in (file, *(one for one in drafts if one.name.endswith(PART))):
            with suppress(FileNotFoundError):
                copy.unlink()
                deleted += 1
        point("destroy.after_unlink")
        if file.parent.is_dir():
            sync_directory(file.parent)
        return deleted

    def _all(self, prefix: str) -> list[Stored]:
        objects = []
        for file in (self._folder / prefix.rpartition("/")[0]).rglob("[!.]*"):
            with suppress(FileNotFoundError):  # deleted meanwhile
                if file.is_file() and str(file.relative_to(self._folder)).startswith(prefix):
                    at = datetime.fromtimestamp(file.stat().st_mtime, UTC)
                    objects.append(Stored(str(file.relative_to(self._folder)), at))
        return objects

    def _try(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._look()
        probe = self._folder / f".probe.{secrets.token_hex(4)}"
        probe.write_bytes(b"")
        probe.unlink()

    def _look(self) -> None:
        """Raises ObjectsTrouble if this is another folder than before."""
        if self._marked is not None and (why := another(self._folder, self._marked)):
            raise ObjectsTrouble(why)

    def _path(self, name: str) -> Path:
        return self._folder / name


async def in_thread[**P, T](work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do it in a thread, because a disk may be slow. Raises ObjectsTrouble for an OSError."""
    try:
        return await asyncio.to_thread(work, *args, **kwargs)
    except OSError as error:
        raise ObjectsTrouble(f"{error.filename or 'the disk'}: {error.strerror or error}") from error
