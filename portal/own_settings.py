"""The owner's settings as the operator's file has them, and as the owner has changed them."""

from collections.abc import Mapping
from typing import Any

import asyncpg
from pydantic import ValidationError

from dialplan.number import Owner
from dialplan.owner_changes import CHANGEABLE, Changes, as_written, changed
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


async def store(
    con: asyncpg.Connection, name: str, ground: Owner, values: Mapping[str, Any], actor: Actor
) -> str:
    """Store the values that differ from those that are stored; return the setting that is wrong, "" if none.

    In a transaction of `settings.alone`.
    """
    before = valid(ground, await settings.changes(con, name))
    written = as_written(before)
    new = {setting: value for setting, value in values.items() if value != written[setting]}
    try:
        changed(before, new)
    except ValidationError as error:
        return str((error.errors()[0]["loc"] or ("name",))[0])
    if new:
        detail = "; ".join(f"{it}: {said(written[it])} -> {said(value)}" for it, value in new.items())
        await settings.put(con, name, Change(new, as_written(ground), detail), actor)
    return ""


def said(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value or "")
