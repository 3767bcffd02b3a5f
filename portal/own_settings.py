"""The owner's settings as the operator's file has them, and as the owner has changed them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import asyncpg
from pydantic import ValidationError

from dialplan.number import Owner
from dialplan.owner_changes import CHANGEABLE, Changes, as_written, changed
from dialplan.period import read_period, written_period
from storage.access import Actor
from storage.owned import settings
from storage.owned.settings import Change


def valid(ground: Owner, changes: Changes) -> Owner:
    """The owner with the changes; without them, if the operator's file does not allow them any more."""
    try:
        return changed(ground, changes)
    except ValidationError:
        return ground


def differences(ground: Owner, owner: Owner) -> Mapping[str, Any]:
    """What the operator's file has, of each setting that the owner has changed."""
    return {
        name: getattr(ground, name) for name in CHANGEABLE if getattr(ground, name) != getattr(owner, name)
    }


@dataclass(frozen=True, slots=True)
class Refused:
    """A setting whose value the rules of the operator's file do not allow, and what to write."""

    setting: str
    why: str


@dataclass(frozen=True, slots=True)
class Shortening:
    """How many recordings a shorter retention destroys: at once, and later but earlier than agreed."""

    keep: timedelta
    now: int
    earlier: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """New values by setting, as a file would have them. `keep`: the new retention, None: unchanged.

    `sure`: the owner was told what a shorter retention destroys.
    """

    values: Mapping[str, Any]
    keep: timedelta | None = None
    sure: bool = False


def keep_of(seconds: float) -> timedelta | None:
    """A retention of so many seconds; None if a file could not have it."""
    try:
        keep = timedelta(seconds=seconds)
        return keep if read_period(written_period(keep)) == keep else None
    except (ValueError, OverflowError):
        return None


async def change(
    con: asyncpg.Connection, name: str, ground: Owner, wanted: Wanted, actor: Actor
) -> Refused | Shortening | None:
    """Store what is wanted; a shorter retention only if the owner is sure: otherwise return what it destroys.

    In a transaction of `settings.alone`.
    """
    values = dict(wanted.values)
    if wanted.keep is not None:
        before = valid(ground, await settings.changes(con, name))
        if wanted.keep < before.keep_recordings and not wanted.sure:
            return Shortening(wanted.keep, *await settings.shortened(con, name, wanted.keep))
        values["keep_recordings"] = written_period(wanted.keep)
    return await store(con, name, ground, values, actor)


async def store(
    con: asyncpg.Connection, name: str, ground: Owner, values: Mapping[str, Any], actor: Actor
) -> Refused | None:
    """Store the values that differ from those that are stored; return what is wrong with them, if anything.

    In a transaction of `settings.alone`.
    """
    before = valid(ground, await settings.changes(con, name))
    written = as_written(before)
    new = {setting: value for setting, value in values.items() if value != written[setting]}
    try:
        changed(before, new)
    except ValidationError as error:
        first = error.errors(include_input=False, include_context=False, include_url=False)[0]
        return Refused(str((first["loc"] or ("name",))[0]), first["msg"])
    if new:
        detail = "; ".join(f"{it}: {said(written[it])} -> {said(value)}" for it, value in new.items())
        await settings.put(con, name, Change(new, as_written(ground), detail), actor)
    return None


def said(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value or "")
