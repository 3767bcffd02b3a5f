"""Switches that an owner puts on and off: stored for the worker of each node, and logged."""

from dataclasses import dataclass
from datetime import datetime

import asyncpg

from config.switches import Switched
from storage import access
from storage.access import Access, Actor

MOST = 100  # of an owner in a day
PUT = """
INSERT INTO owner_switch (owner, number, name, until, put_by, reason)
SELECT $1, $2, $3, $4, $5, $6
WHERE (SELECT count(*) FROM owner_switch WHERE owner = $1 AND put_at > now() - interval '1 day') < $7
RETURNING switch_id
"""
OF = """
SELECT DISTINCT ON (number, name) put_at, number, name, until, put_by, reason FROM owner_switch
WHERE owner = $1 AND put_at > now() - interval '1 year' ORDER BY number, name, put_at DESC
"""


@dataclass(frozen=True, slots=True)
class Wish:
    """A switch of a number, to be put on until then, or off (None)."""

    number: str
    name: str
    until: datetime | None

    @property
    def detail(self) -> str:
        until = f"{self.until:%Y-%m-%d %H:%M %Z}" if self.until else "off"
        return f"{self.number} {self.name}: -> {until}"


async def put(con: asyncpg.Connection, owner: str, wish: Wish, actor: Actor) -> bool:
    """Store it, with a line in the access log; False if there were too many today: then nothing is."""
    async with con.transaction():
        told = (wish.number, wish.name, wish.until, f"owner {actor.operator}", "by the owner")
        if await con.fetchval(PUT, owner, *told, MOST) is None:
            return False
        await access.add(con, None, Access.CHANGE, actor, owner=owner, detail=wish.detail)
    return True


async def latest(con: asyncpg.Connection, owner: str) -> list[Switched]:
    """The latest line of each switch that this owner has put on or off."""
    return [
        Switched(row["put_at"], row["number"], row["name"], row["until"], row["put_by"], row["reason"])
        for row in await con.fetch(OF, owner)
    ]
