"""The file of a backup: a ZIP archive with a member for each table, the keys, and a sealed manifest."""

import hashlib
import json
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Self

from journal.disk import sync_directory
from storage.key_wrapper import KeyWrapper, SealBroken

FORMAT = 1
MANIFEST, SEAL, KEYS = "manifest.json", "seal", "keys.jsonl"
BLOCK = 2**20
PART = ".part"


class ArchiveUnusable(Exception):
    """This file cannot be restored; the message says why."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table in the file: the columns in their order, and the SHA-256 of the member."""

    name: str
    columns: list[str]
    sha256: str


@dataclass(slots=True)
class Manifest:
    """What a backup contains. `head`: of the chain of tombstones. `migrations`: name to SHA-256."""

    backup_id: str
    made_at: str
    node: str
    head: str
    migrations: dict[str, str]
    tables: list[Table] = field(default_factory=list)
    keys: int = 0
    keys_sha256: str = ""
    format: int = FORMAT

    @classmethod
    def read(cls, text: bytes) -> Self:
        """Raises ArchiveUnusable."""
        try:
            values = json.loads(text)
            if values["format"] != FORMAT:
                raise ArchiveUnusable(f"it has format {values['format']}: it is of a newer version")
            return cls(**{**values, "tables": [Table(**table) for table in values["tables"]]})
        except (ValueError, TypeError, KeyError) as error:
            raise ArchiveUnusable(f"its manifest cannot be read: {error!r}") from None

    def text(self) -> bytes:
        return json.dumps(asdict(self), sort_keys=True).encode()


class Member:
    """A member that is being written, and its SHA-256."""

    def __init__(self, out: IO[bytes]) -> None:
        self._out = out
        self._digest = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self._digest.update(data)
        return self._out.write(data)

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()


class ArchiveWriter:
    """Writes members one after the other, at last the manifest."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive

    @contextmanager
    def member(self, name: str) -> Iterator[Member]:
        with self._archive.open(name, "w", force_zip64=True) as out:
            yield Member(out)

    def finish(self, manifest: Manifest, key_wrapper: KeyWrapper) -> None:
        """`key_wrapper`: that of the backup, so that nobody without both keys can change the file."""
        text = manifest.text()
        self._archive.writestr(MANIFEST, text)
        self._archive.writestr(SEAL, key_wrapper.wrap(hashlib.sha256(text).digest(), manifest.backup_id))


@contextmanager
def written(file: Path) -> Iterator[ArchiveWriter]:
    """Write a file that only its owner may read; it appears whole, synced to the disk, or not at all."""
    draft = file.with_name(file.name + PART)
    try:
        with os.fdopen(os.open(draft, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600), "w+b") as out:
            with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as archive:
                yield ArchiveWriter(archive)
            out.flush()
            os.fsync(out.fileno())
        draft.replace(file)
        sync_directory(file.parent)
    finally:
        draft.unlink(missing_ok=True)


class Archive:
    """A backup's file, open for reading. Raises ArchiveUnusable."""

    def __init__(self, file: Path) -> None:
        try:
            self._archive = zipfile.ZipFile(file)
            self.manifest = Manifest.read(self._archive.read(MANIFEST))
            self._seal = self._archive.read(SEAL)
        except (zipfile.BadZipFile, KeyError, EOFError) as error:
            raise ArchiveUnusable(f"it is not a backup of callengine, or not a whole one: {error}") from None

    def close(self) -> None:
        self._archive.close()

    def check_seal(self, key_wrapper: KeyWrapper) -> None:
        """Check that the manifest is the one that was written. Raises ArchiveUnusable, MasterKeyError."""
        digest = b""
        with suppress(SealBroken):
            digest = key_wrapper.unwrap(self._seal, self.manifest.backup_id)
        if digest != hashlib.sha256(self.manifest.text()).digest():
            raise ArchiveUnusable("its manifest has been changed, or the object store has another key for it")

    def check(self) -> None:
        """Check that every member is the one that was written. Raises ArchiveUnusable."""
        for table in self.manifest.tables:
            self._check(f"{table.name}.copy", table.sha256)
        self._check(KEYS, self.manifest.keys_sha256)

    def _check(self, name: str, sha256: str) -> None:
        digest = hashlib.sha256()
        try:
            with self._archive.open(name) as member:
                while block := member.read(BLOCK):
                    digest.update(block)
        except (zipfile.BadZipFile, KeyError, EOFError, OSError) as error:
            raise ArchiveUnusable(f"{name} in it cannot be read: {error}") from None
        if digest.hexdigest() != sha256:
            raise ArchiveUnusable(f"{name} in it is not what was written")

    def open(self, name: str) -> IO[bytes]:
        return self._archive.open(name)

    def keys(self) -> Iterator[tuple[str, bytes]]:
        """Each audio's id, and its key as wrapped for this backup."""
        with self._archive.open(KEYS) as member:
            for line in member:
                value = json.loads(line)
                yield value["audio_id"], bytes.fromhex(value["wrapped"])
