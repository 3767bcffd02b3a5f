"""The database's schema, forward only: each file of `migrations/` is applied once, in the order of its
number.

There are no down migrations. The code of the previous version must run with a new schema, so that engine and
worker can be updated one after the other. The schema's owner migrates; any other role only checks.
"""

import asyncio
import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib import resources

import asyncpg

from storage.grants import Roles, grant

LOCK = 0x63616C6C  # "call": of two workers that start at once, one waits for the other to migrate
# Whoever waits for a table makes all others wait behind it: give up soon, and try again.
LOCK_SECONDS = 2
PAUSE_SECONDS = 0.5
ATTEMPTS = 60

APPLIED = """
CREATE TABLE IF NOT EXISTS migration (
    name text PRIMARY KEY,
    sha256 text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""

# Whether this role may migrate: there is only one role, or this is the owner.
MAY_MIGRATE = """
SELECT has_database_privilege(current_database(), 'CREATE') AND NOT EXISTS (
    SELECT FROM pg_class WHERE oid = to_regclass('migration') AND NOT pg_has_role(relowner, 'USAGE'))
"""

RECORD = "INSERT INTO migration (name, sha256) VALUES ($1, $2)"


class MigrationChanged(Exception):
    """A migration that was applied to this database has been edited since: add a new one instead."""


class SchemaBehind(Exception):
    """The schema is older than this code, and this role may not migrate it."""


@dataclass(frozen=True, slots=True)
class Migration:
    """`name` is its file's, `001_calls`."""

    name: str
    sql: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations() -> list[Migration]:
    """All migrations, in order."""
    files = resources.files("storage") / "migrations"
    return [
        Migration(file.name.removesuffix(".sql"), file.read_text("utf-8"))
        for file in sorted(files.iterdir(), key=lambda file: file.name)
        if file.name.endswith(".sql")
    ]


async def bring_up_to_date(con: asyncpg.Connection) -> list[str]:
    """Check that the schema is this version's; if it is older, migrate it, if this role may.

    A worker does so at each connection. Returns what was applied. Raises MigrationChanged, SchemaBehind.
    """
    try:
        known = await con.fetchval("SELECT to_regclass('migration')") is not None
        missing = await missing_migrations(con) if known else migrations()
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
    """Apply missing migrations and grant each role its rights, in one transaction; return what was applied.

    Migrations that this code does not know are newer, and ignored. Workers and portals go on meanwhile: what
    they read in another order may end this transaction, or keep it waiting, and then it begins again.
    Raises MigrationChanged; asyncpg.LockNotAvailableError, DeadlockDetectedError after ATTEMPTS.
    """
    for _ in range(ATTEMPTS - 1):
        try:
            return await _migrate(con, roles or Roles())
        except (asyncpg.DeadlockDetectedError, asyncpg.LockNotAvailableError):
            await asyncio.sleep(PAUSE_SECONDS)
    return await _migrate(con, roles or Roles())


async def _migrate(con: asyncpg.Connection, roles: Roles) -> list[str]:
    async with con.transaction():
        await con.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
        await con.execute(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")
        missing = await _apply(con)
        await grant(con, roles)
    return missing


async def migrate_to(con: asyncpg.Connection, names: Collection[str]) -> None:
    """Apply only these migrations, in the caller's transaction: the schema of a backup."""
    await con.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
    await _apply(con, names)


async def _apply(con: asyncpg.Connection, names: Collection[str] | None = None) -> list[str]:
    await con.execute(APPLIED)
    missing = [one for one in await missing_migrations(con) if names is None or one.name in names]
    for migration in missing:
        await con.execute(migration.sql)
        await con.execute(RECORD, migration.name, migration.sha256)
    return [migration.name for migration in missing]


async def missing_migrations(con: asyncpg.Connection) -> list[Migration]:
    rows = await con.fetch("SELECT name, sha256 FROM migration")
    applied = {row["name"]: row["sha256"] for row in rows}
    return [migration for migration in migrations() if not is_applied(applied, migration)]


def is_applied(applied: Mapping[str, str], migration: Migration) -> bool:
    """Whether this migration is among those applied (name to SHA-256). Raises MigrationChanged."""
    if migration.name not in applied:
        return False
    if applied[migration.name] != migration.sha256:
        raise MigrationChanged(
            f"storage/migrations/{migration.name}.sql was edited after it was applied: restore it, and put "
            "the change into a new migration"
        )
    return True
