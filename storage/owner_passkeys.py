"""An owner's passkeys, for the operator: how many each address has; and their removal with every login."""

from dataclasses import dataclass, replace
from datetime import datetime

import asyncpg

from storage import access
from storage.access import Access
from storage.owned.settings import Notice, alone, notify

OF = """
SELECT address, count(*)::int AS count, min(created_at) AS since, max(used_at) AS used
FROM passkey WHERE owner = $1 GROUP BY address ORDER BY address
"""
REMOVE = "DELETE FROM passkey WHERE owner = $1 RETURNING name"
END_LOGINS = """
UPDATE portal_session SET ended_at = now()
WHERE owner = $1 AND ended_at IS NULL AND expires_at > now() RETURNING address
"""
# A link that a thief has asked for would make an address of theirs the owner's.
DROP_LINKS = "DELETE FROM owner_address WHERE owner = $1 AND used_at IS NULL RETURNING setting, address"


@dataclass(frozen=True, slots=True)
class Passkeys:
    """Those of one address. `since`: when the oldest was added. `used`: the last login with one of them."""

    address: str
    count: int
    since: datetime
    used: datetime | None


@dataclass(frozen=True, slots=True)
class Removed:
    """How many passkeys were removed, logins ended, and links for addresses dropped."""

    passkeys: int = 0
    logins: int = 0
    links: int = 0

    def __str__(self) -> str:
        counts = {"passkeys removed": self.passkeys, "logins ended": self.logins, "links dropped": self.links}
        return ", ".join(f"{what}: {count}" for what, count in counts.items() if count)


async def passkeys_of(con: asyncpg.Connection, owner: str) -> list[Passkeys]:
    """A row for each address that has passkeys."""
    return [Passkeys(**row) for row in await con.fetch(OF, owner)]


async def remove_all(con: asyncpg.Connection, owner: str, notice: Notice) -> Removed:
    """Remove the owner's passkeys, end every login, and drop the links for addresses not yet confirmed.

    The access log has each of them. `notice`: the mail about a passkey, whose name is filled in here.
    """
    async with alone(con, owner):
        names = sorted(row["name"] for row in await con.fetch(REMOVE, owner))
        logins = len(await con.fetch(END_LOGINS, owner))
        links = await con.fetch(DROP_LINKS, owner)
        details = [f"passkey: {name} ->" for name in names]
        details += [f"logins: {logins} -> 0"] if logins else []
        details += sorted(f"{row['setting']}: link for {row['address']} ->" for row in links)
        for detail in details:
            await access.add(con, None, Access.CHANGE, owner=owner, detail=detail)
        for name in names:
            await notify(con, owner, replace(notice, address=name))
    return Removed(len(names), logins, len(links))
