"""What was destroyed and held since a backup: published in the object store, and applied by a restore.

A database that is lost takes its newest tombstones with it; the object store, without which no audio can be
restored, has them. They are encrypted with the backup's keys.
"""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import asyncpg

from journal.fault import point
from storage.backup import own_key
from storage.key_wrapper import KeyWrapper
from storage.objects import ObjectMissing, Objects

MOST = 5000  # tombstones in one object

BEHIND = """
SELECT backup_id, published, holds_at FROM backup
WHERE published < (SELECT max(seq) FROM tombstone)
   OR holds_at < (SELECT max(greatest(held_at, released_at)) FROM legal_hold)
ORDER BY made_at
"""
TOMBSTONES = "SELECT * FROM tombstone WHERE seq > $1 ORDER BY seq LIMIT $2"
HOLDS = "SELECT * FROM legal_hold WHERE greatest(held_at, released_at) > $1 ORDER BY held_at"
MARK = """
UPDATE backup SET published = greatest(published, $2), holds_at = greatest(holds_at, $3) WHERE backup_id = $1
"""
INSTANTS = frozenset({"began", "destroy_after", "destroyed_at", "held_at", "released_at"})


@dataclass(frozen=True, slots=True)
class Since:
    """Rows of `tombstone`, in the order of the chain, and of `legal_hold`."""

    tombstones: list[dict[str, Any]]
    holds: list[dict[str, Any]]


@dataclass(slots=True)
class Publisher:
    """Publishes for each backup that can still be used."""

    objects: Objects
    key_wrapper: KeyWrapper

    async def publish_next(self, con: asyncpg.Connection) -> bool:
        """Publish the next piece for each backup that is behind; False when none was.

        Not in a transaction. Raises ObjectsTrouble, asyncpg's errors.
        """
        behind = await con.fetch(BEHIND)
        for row in behind:
            await self._publish(con, row)
        return bool(behind)

    async def _publish(self, con: asyncpg.Connection, row: asyncpg.Record) -> None:
        backup_id = row["backup_id"]
        tombstones = await con.fetch(TOMBSTONES, row["published"], MOST)
        holds = await con.fetch(HOLDS, row["holds_at"])
        try:
            wrapper = await own_key.find(self.objects, self.key_wrapper, backup_id)
        except own_key.BackupRevoked:  # deleted a moment ago, or by somebody: it cannot be restored anyway
            wrapper = None
        if wrapper is not None:
            name = f"{own_key.folder_of(backup_id)}{secrets.token_hex(8)}"
            point("backup.before_publish")
            await self.objects.put(name, wrapper.wrap(as_text(tombstones, holds), name))
            point("backup.after_publish")
        last = tombstones[-1]["seq"] if tombstones else 0
        decided = [row["released_at"] or row["held_at"] for row in holds]
        await con.execute(MARK, backup_id, last, max(decided, default=None))


async def find(objects: Objects, wrapper: KeyWrapper, backup_id: str) -> Since:
    """All of it that was published; each tombstone and hold once. Raises ObjectsTrouble, SealBroken."""
    tombstones: dict[int, dict[str, Any]] = {}
    holds: dict[tuple[str, datetime], dict[str, Any]] = {}
    async for stored in objects.all(own_key.folder_of(backup_id)):
        if stored.name == own_key.name_of(backup_id) or stored.name.endswith(".part"):
            continue
        try:
            sealed = await objects.get(stored.name)
        except ObjectMissing:  # a version of a deleted object
            continue
        piece = json.loads(wrapper.unwrap(sealed, stored.name))
        tombstones |= {row["seq"]: row for row in map(as_row, piece["tombstones"])}
        for row in map(as_row, piece["holds"]):
            known = holds.get((row["audio_id"], row["held_at"]))
            if known is None or known["released_at"] is None:
                holds[row["audio_id"], row["held_at"]] = row
    return Since([tombstones[seq] for seq in sorted(tombstones)], list(holds.values()))


def as_text(tombstones: Sequence[asyncpg.Record], holds: Sequence[asyncpg.Record]) -> bytes:
    rows = {"tombstones": [*map(dict, tombstones)], "holds": [*map(dict, holds)]}
    return json.dumps(rows, default=lambda value: value.isoformat()).encode()


def as_row(values: Mapping[str, Any]) -> dict[str, Any]:
    """A row as asyncpg takes it."""
    row = dict(values)
    for name in INSTANTS & row.keys():
        row[name] = row[name] and datetime.fromisoformat(row[name])
    if "review_on" in row:
        row["review_on"] = date.fromisoformat(row["review_on"])
    return row
