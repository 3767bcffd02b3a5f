"""The database's schema, forward only: each file of `migrations/` is applied once, in the order of its
number.

There is no way back. A new schema must run with the code of before, so that engine and worker may be
renewed one after the other. The schema's owner migrates; a worker whose role is another only looks.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

import asyncpg

from storage.grants import Roles, grant

LOCK = 0x63616C6C  # "call": two workers that start at once migrate one after the other

APPLIED = """
CREATE TABLE IF NOT EXISTS migration (
    name text PRIMARY KEY,
    sha256 text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""

# Whether this role may bring the schema forward: there is only one role, or this is the owner.
MAY_MIGRATE = """
SELECT has_database_privilege(current_database(), 'CREATE') AND NOT EXISTS (
    SELECT FROM pg_class WHERE oid = to_regclass('migration') AND NOT pg_has_role(relowner, 'USAGE'))
"""

NOTED = "INSERT INTO migration (name, sha256) VALUES ($1, $2)"


class MigrationChanged(Exception):
    """A migration this database has had reads otherwise now: never edit one, add a new one."""


class SchemaBehind(Exception):
    """The schema is older than this code, and this role may not bring it forward."""


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


async def bring_up_to_date(con: asyncpg.Connection) -> list[str]:
    """Look whether the schema is this code's, and if it is not, migrate where this role may.

    What a worker does at each connection. Raises MigrationChanged, SchemaBehind.
    """
    try:
        known = await con.fetchval("SELECT to_regclass('migration')") is not None
        missing = await _missing(con) if known else migrations()
    except asyncpg.InsufficientPrivilegeError:
        missing = migrations()
    if not missing:
        return []
    if not await con.fetchval(MAY_MIGRATE):
        raise SchemaBehind(
            f"the database's schema is older than this version, or this role has no rights in it "
            f"({missing[0].name}): run `callengine migrate` as the schema's owner"
        )
    return await migrate(con)


async def migrate(con: asyncpg.Connection, roles: Roles | None = None) -> list[str]:
    """Apply what is missing, and give each role what it needs, all of it or nothing; what was applied.

    Migrations this code does not know are left alone: they are newer. Raises MigrationChanged.
    """
    async with con.transaction():
        await con.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
        await con.execute(APPLIED)
        missing = await _missing(con)
        for migration in missing:
            await con.execute(migration.sql)
            await con.execute(NOTED, migration.name, migration.sha256)
        await grant(con, roles or Roles())
    return [migration.name for migration in missing]


async def _missing(con: asyncpg.Connection) -> list[Migration]:
    rows = await con.fetch("SELECT name, sha256 FROM migration")
    applied = {row["name"]: row["sha256"] for row in rows}
    return [migration for migration in migrations() if not has_had(applied, migration)]


def has_had(applied: Mapping[str, str], migration: Migration) -> bool:
    """Whether this one is among those applied (name to SHA-256). Raises MigrationChanged."""
    if migration.name not in applied:
        return False
    if applied[migration.name] != migration.sha256:
        raise MigrationChanged(f"storage/migrations/{migration.name}.sql is not what was applied")
    return True
