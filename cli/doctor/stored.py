"""The database and the object store: reachable, of this version, with the rights and keys that are needed."""

import asyncpg

from cli.doctor.finding import Finding, warning
from cli.doctor.scene import Scene
from config.settings import SettingsError
from storage.audit_keys import groups
from storage.grants import WORKER
from storage.migrate import MigrationChanged, missing_migrations
from storage.stores import key_wrapper_of, objects_of

SUPERUSER = "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"
OWNS = "SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = to_regclass('tombstone')"
HAS = "SELECT has_table_privilege(to_regclass($1), $2)"
MIGRATE = "callengine migrate, as the schema's owner (docs/operating.md, Database)"


async def database(scene: Scene) -> list[Finding]:
    """The database answers."""
    try:
        async with scene.connection() as con:
            await con.fetchval("SELECT 1")
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        remedy = "start PostgreSQL, or correct the credential `database`"
        return [Finding(f"the database cannot be used: {type(error).__name__}: {error}", remedy)]
    return []


async def schema(scene: Scene) -> list[Finding]:
    """The schema is that of this version."""
    async with scene.connection() as con:
        try:
            missing = await missing_migrations(con)
        except (asyncpg.UndefinedTableError, asyncpg.InsufficientPrivilegeError):
            return [Finding("the database has no schema of callengine that this role may read", MIGRATE)]
        except MigrationChanged as changed:
            return [Finding(str(changed), "install the version that the database was migrated by")]
    if not missing:
        return []
    return [Finding(f"the schema is older than this version ({missing[0].name})", MIGRATE)]


async def roles(scene: Scene) -> list[Finding]:
    """The worker's role can do its work, and cannot remove evidence."""
    async with scene.connection() as con:
        name, is_superuser = await con.fetchval("SELECT current_user"), await con.fetchval(SUPERUSER)
        lacking = [
            f"{right} on {table}"
            for table, rights in WORKER.items()
            for right in rights.split(", ")
            if not await con.fetchval(HAS, table, right)
        ]
        owns = await con.fetchval(OWNS)
    findings = [Finding(f"role {name} lacks {', '.join(lacking)}", MIGRATE)] if lacking else []
    if is_superuser:
        remedy = "give the worker the role callengine_worker (docs/operating.md, Database)"
        findings.append(Finding(f"role {name} is a superuser: it can remove evidence", remedy))
    elif owns:
        remedy = "let callengine_owner own the schema, if somebody else runs the database"
        findings.append(warning(f"role {name} owns the schema: it can disable triggers", remedy))
    return findings


async def keys(scene: Scene) -> list[Finding]:
    """The master key opens every key of the database."""
    try:
        wrapper = key_wrapper_of(scene.settings)
    except SettingsError as wrong:
        return [Finding(str(wrong), "restore the credential master_key")]
    if wrapper is None:
        return [
            Finding(
                "master_key is not set: nothing is encrypted, so no message is taken",
                "callengine settings --new-key",
            )
        ]
    async with scene.connection() as con:
        return [Finding(finding.what, finding.remedy) for finding in await groups(con, wrapper)]


async def store(scene: Scene) -> list[Finding]:
    """Audio may be stored, and can be deleted."""
    objects = objects_of(scene.settings)
    try:
        objections = await objects.objections()
    finally:
        await objects.close()
    return [Finding(objection, "correct [objects], or the bucket") for objection in objections]
