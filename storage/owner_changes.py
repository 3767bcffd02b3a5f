"""Owners' own changes, for the worker and for the operator: read all, drop some."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from dialplan.owner_changes import Changes
from storage import access
from storage.access import Access

ALL = "SELECT owner, jsonb_object_agg(setting, value)::text AS changes FROM owner_change GROUP BY owner"
OF = "SELECT setting, value::text AS value, changed_at, changed_by FROM owner_change WHERE owner = $1"
RESET = (
    "DELETE FROM owner_change WHERE owner = $1 AND setting = ANY($2) RETURNING setting, value::text AS value"
)


@dataclass(frozen=True, slots=True)
class OwnerChange:
    """One changed setting. `value`: as a file would have it. `by`: the address of the person."""

    setting: str
    value: Any
    at: datetime
    by: str


async def all_changes(con: asyncpg.Connection) -> Mapping[str, Changes]:
    """The changes of every owner, by the owner's name. Raises asyncpg's errors."""
    return {row["owner"]: json.loads(row["changes"]) for row in await con.fetch(ALL)}


async def changes_of(con: asyncpg.Connection, owner: str) -> list[OwnerChange]:
    rows = sorted(await con.fetch(OF, owner), key=lambda row: row["setting"])
    return [
        OwnerChange(row["setting"], json.loads(row["value"]), row["changed_at"], row["changed_by"])
        for row in rows
    ]


async def reset(con: asyncpg.Connection, owner: str, settings: Sequence[str]) -> list[str]:
    """Drop an owner's changes of these settings: the file is in force again. Return those that there were."""
    async with con.transaction():
        rows = await con.fetch(RESET, owner, list(settings))
        dropped = {row["setting"]: row["value"] for row in rows}
        if dropped:
            detail = "; ".join(f"{name}: {value} -> (provider)" for name, value in sorted(dropped.items()))
            await access.add(con, None, Access.CHANGE, owner=owner, detail=detail)
    return sorted(dropped)
