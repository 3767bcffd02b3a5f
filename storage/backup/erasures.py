"""Erased callers, published in the object store, so that a restore of any older backup erases them again.

An object for each request, with the keyed hash of the number and without the number, encrypted by the master
key. It is kept for ever, as the certificate is: a file of a backup may be of any age.
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Self

import asyncpg

from journal.fault import point
from storage.backup.own_key import PREFIX as OF_BACKUPS
from storage.erased_number import NumberKeys, e164
from storage.erasure import BEGIN_ANEW, LOOK_AGAIN
from storage.key_wrapper import KeyWrapper, MasterKeyError, SealBroken
from storage.objects import ObjectMissing, Objects

PREFIX = f"{OF_BACKUPS}erasures/"

UNPUBLISHED = """
SELECT erasure_id, caller_hash, until, asked_at, reason, operator, host FROM erasure
WHERE published IS DISTINCT FROM until ORDER BY erasure_id LIMIT 1
"""
MARK = "UPDATE erasure SET published = $2 WHERE erasure_id = $1"
# A caller in a call record, a message, or a dead letter, and when they first called.
CALLERS = """
SELECT caller, min(began) AS began FROM (
    SELECT caller, began FROM call UNION ALL SELECT caller, began FROM message
) AS calls WHERE caller IS NOT NULL GROUP BY caller
UNION ALL
SELECT DISTINCT (regexp_matches(entries, '"caller":"([+0-9]+)"', 'g'))[1], 'epoch'::timestamptz
FROM dead_letter
"""
REPEAT = """
INSERT INTO erasure (caller_hash, sealed, until, reason, operator, host, asked_at, published)
VALUES ($1, $2, $3, $4, $5, $6, $7, $3)
ON CONFLICT (caller_hash) WHERE finished_at IS NULL DO UPDATE SET
    until = greatest(erasure.until, EXCLUDED.until), certified = NULL
RETURNING erasure_id
"""


@dataclass(frozen=True, slots=True)
class Erased:
    """A caller was erased from the calls that came in until then."""

    caller_hash: str
    until: datetime
    asked_at: datetime
    reason: str
    operator: str
    host: str

    @classmethod
    def of(cls, values: Mapping[str, str]) -> Self:
        instants = {name: datetime.fromisoformat(values[name]) for name in ("until", "asked_at")}
        return cls(**{**values, **instants})  # type: ignore[arg-type]

    def text(self) -> bytes:
        return json.dumps(asdict(self), default=lambda value: value.isoformat()).encode()


@dataclass(frozen=True, slots=True)
class Published:
    """The latest erasure of each caller, by the hash. `unreadable`: objects of a master key that is gone."""

    erased: Mapping[str, Erased]
    unreadable: int = 0


async def publish_next(con: asyncpg.Connection, objects: Objects, key_wrapper: KeyWrapper) -> bool:
    """Publish the next erasure that is not published as it is now; False when there was none.

    Not in a transaction. Raises ObjectsTrouble, asyncpg's errors.
    """
    row = await con.fetchrow(UNPUBLISHED)
    if row is None:
        return False
    erased = Erased(**{name: row[name] for name in Erased.__dataclass_fields__})
    name = f"{PREFIX}{secrets.token_hex(16)}"
    point("erase.before_publish")
    await objects.put(name, key_wrapper.wrap(erased.text(), name))
    point("erase.after_publish")
    await con.execute(MARK, row["erasure_id"], erased.until)
    return True


async def find(objects: Objects, key_wrapper: KeyWrapper) -> Published:
    """Everything that was published. Raises ObjectsTrouble."""
    found: dict[str, Erased] = {}
    unreadable = 0
    async for stored in objects.all(PREFIX):
        if stored.name.endswith(".part"):
            continue
        try:
            text = key_wrapper.unwrap(await objects.get(stored.name), stored.name)
        except ObjectMissing:  # a version of a deleted object
            continue
        except (MasterKeyError, SealBroken):
            unreadable += 1
            continue
        erased = Erased.of(json.loads(text))
        known = found.get(erased.caller_hash)
        if known is None or known.until < erased.until:
            found[erased.caller_hash] = erased
    return Published(found, unreadable)


async def came_back(
    con: asyncpg.Connection, published: Published, keys: NumberKeys, country: str = ""
) -> list[tuple[str, Erased]]:
    """The erased callers whose number this database has in a call of before, each once."""
    back: dict[str, tuple[str, Erased]] = {}
    for row in await con.fetch(CALLERS) if published.erased else []:
        number = e164(row["caller"], country)
        for caller_hash in keys.hashes(number):
            erased = published.erased.get(caller_hash)
            if erased and row["began"] <= erased.until:
                back[caller_hash] = (number, erased)
    return list(back.values())


async def repeat(con: asyncpg.Connection, published: Published, keys: NumberKeys, country: str) -> int:
    """Have the workers erase again those who are back; return how many. In the caller's transaction."""
    back = await came_back(con, published, keys, country)
    for number, erased in back:
        erasure_id = await con.fetchval(
            REPEAT, erased.caller_hash, keys.seal(number), erased.until, erased.reason, erased.operator,
            erased.host, erased.asked_at,
        )  # fmt: skip
        await con.execute(LOOK_AGAIN, erasure_id)
        await con.execute(BEGIN_ANEW, erasure_id, 0, 0, 0)
    return len(back)
