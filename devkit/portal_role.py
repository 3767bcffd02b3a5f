"""The database role of the portal in a `callengine dev`, so that row level security holds there too."""

import secrets
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

from storage.migrate import migrate

ROLE = "callengine_portal"


async def prepare_role(database: str, password: str) -> str:
    """Create the role, or give it this password; grant its rights; return its URL of the database.

    Raises asyncpg.InsufficientPrivilegeError if our own role may not.
    """
    con = await asyncpg.connect(database, timeout=10)
    try:
        exists = await con.fetchval("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", ROLE)
        verb = "ALTER" if exists else "CREATE"
        await con.execute(f"{verb} ROLE {ROLE} LOGIN PASSWORD '{password}'")  # hexadecimal digits
        await migrate(con)  # grants the rights
    finally:
        await con.close(timeout=5)
    return url_of(database, password)


def url_of(database: str, password: str) -> str:
    parts = urlsplit(database)
    place = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{ROLE}:{password}@{place}").geturl()


def password_of(state: Path) -> str:
    """The role's password in this run, made the first time."""
    file = state / "portal_password"
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(secrets.token_hex(16))
    return file.read_text()
