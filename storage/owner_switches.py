"""Switches that owners have put on or off, for the worker: what has changed in the last year."""

import asyncpg

from config.switches import Switched

# A switch ends within a year (cli/commands/switch.py): what is older has no effect any more.
LATEST = """
SELECT DISTINCT ON (number, name) put_at, number, name, until, put_by, reason FROM owner_switch
WHERE put_at > now() - interval '1 year' ORDER BY number, name, put_at DESC
"""


async def latest(con: asyncpg.Connection) -> list[Switched]:
    """The latest line of each switch. Raises asyncpg's errors."""
    return [
        Switched(row["put_at"], row["number"], row["name"], row["until"], row["put_by"], row["reason"])
        for row in await con.fetch(LATEST)
    ]
