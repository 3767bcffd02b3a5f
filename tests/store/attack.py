"""Somebody who has the files of PostgreSQL, all of them, and the master key, and looks for keys of sounds.

Deleted rows, free space in pages, old WAL, files that nothing refers to: they read all of it. They know how
callengine keeps its keys, and what a sequence looks like on the disk. They may have kept the rows of before,
too: which deleted rows PostgreSQL happens to have written over by now is chance.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from storage.key_wrapper import KEY_BYTES, KeyWrapper, SealBroken, open_sealed

WRAPPED = 4 + 12 + KEY_BYTES + 16  # a key wrapped by a master key, alone or with an epoch key
SEALED = 12 + KEY_BYTES + 16  # a key encrypted with a group key
AFTER_VALUE = bytes(8) + b"\x01"  # of a sequence: log_cnt, is_called
BEHIND_ID = 40  # bytes behind an id in which its key is looked for
PARTS = 4
ROWS = (
    "SELECT audio_id::bytea || wrapped FROM keys.audio_key",
    "SELECT wrapped FROM keys.group_key",
)


@dataclass
class Attack:
    """On every file below `data` (PGDATA)."""

    data: Path
    key_wrapper: KeyWrapper
    kept: list[bytes] = field(default_factory=list)

    async def keep_rows(self, con: asyncpg.Connection) -> None:
        """Copy the rows of keys, as a dump of the tables has them."""
        for query in ROWS:
            self.kept += [row[0] for row in await con.fetch(query)]

    def keys_of(self, audio_ids: Iterable[str]) -> set[str]:
        """Whose keys can be read."""
        files = [path.read_bytes() for path in sorted(self.data.rglob("*")) if path.is_file()]
        files += self.kept
        wrapped = {file[at : at + WRAPPED] for file in files for at in places(file, self.key_wrapper.current)}
        wrappers = [self.key_wrapper.in_epoch(key) for key in epoch_keys(files)]
        groups = {
            key for key_wrapper in wrappers for it in wrapped if (key := opened(key_wrapper, it, "group key"))
        }
        return {it for it in audio_ids if any(self._has_key(file, it, groups) for file in files)}

    def _has_key(self, file: bytes, audio_id: str, groups: set[bytes]) -> bool:
        name = audio_id.encode()
        for at in places(file, name):
            for start in range(at + len(name), at + len(name) + BEHIND_ID):
                if opened(self.key_wrapper, file[start : start + WRAPPED], audio_id):
                    return True
                if any(unsealed(key, file[start : start + SEALED], audio_id) for key in groups):
                    return True
        return False


def epoch_keys(files: Iterable[bytes]) -> set[bytes]:
    """What may be one: four values of sequences, one behind the other in WAL, or in a file each."""
    found, lone = set(), []
    for file in files:
        values = [file[at - 8 : at] for at in places(file, AFTER_VALUE) if is_random(file[at - 8 : at])]
        found |= runs(values)
        lone += values if len(values) == 1 else []
    return found | runs(lone)


def is_random(value: bytes) -> bool:
    return len(value) - value.count(0) >= 6


def places(file: bytes, what: bytes) -> Iterator[int]:
    at = file.find(what)
    while at >= 0:
        yield at
        at = file.find(what, at + 1)


def runs(values: list[bytes]) -> set[bytes]:
    """Every four that follow each other."""
    return {b"".join(values[at : at + PARTS]) for at in range(len(values) - PARTS + 1)}


def opened(key_wrapper: KeyWrapper, wrapped: bytes, name: str) -> bytes | None:
    if wrapped[:4] != key_wrapper.current:
        return None
    try:
        return key_wrapper.unwrap(wrapped, name)
    except SealBroken:
        return None


def unsealed(key: bytes, sealed: bytes, name: str) -> bytes | None:
    try:
        return open_sealed(key, name, sealed)
    except SealBroken:
        return None
