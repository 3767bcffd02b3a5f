"""The database's schema, forward only: each file of `migrations/` is applied once, in the order of its
number.

There is no way back. A new schema must run with the code of before, so that engine and worker may be
renewed one after the other.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

import asyncpg

LOCK = 0x63616C6C  # "call": two workers that start at once migrate one after the other

APPLIED = """
CREATE TABLE IF NOT EXISTS migration (
    name text PRIMARY KEY,
    sha256 text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""

NOTED = "INSERT INTO migration (name, sha256) VALUES ($1, $2)"


class MigrationChanged(Exception):
    """A migration this database has had reads otherwise now: never edit one, add a new one."""


@dataclass(frozen=True, slots=True)
class Migration:
    """`name` is its file's, `001_calls`."""

    name: str
    sql: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations() -> list[Migration]:
    """All there are, in order."""
    files = resources.files("storage") / "migrations"
    return [
        Migration(file.name.removesuffix(".sql"), file.read_text("utf-8"))
        for file in sorted(files.iterdir(), key=lambda file: file.name)
        if file.name.endswith(".sql")
    ]


async def migrate(con: asyncpg.Connection) -> list[str]:
    """Apply what is missing, all of it or nothing; return the names of what was applied.

    Migrations this code does not know are left alone: they are newer. Raises MigrationChanged.
    """
    async with con.transaction():
        await con.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
        await con.execute(APPLIED)
        rows = await con.fetch("SELECT name, sha256 FROM migration")
        applied = {row["name"]: row["sha256"] for row in rows}
        missing = [migration for migration in migrations() if not has_had(applied, migration)]
        for migration in missing:
            await con.execute(migration.sql)
            await con.execute(NOTED, migration.name, migration.sha256)
    return [migration.name for migration in missing]


def has_had(applied: Mapping[str, str], migration: Migration) -> bool:
    """Whether this one is among those applied (name to SHA-256). Raises MigrationChanged."""
    if migration.name not in applied:
        return False
    if applied[migration.name] != migration.sha256:
        raise MigrationChanged(f"storage/migrations/{migration.name}.sql is not what was applied")
    return True
