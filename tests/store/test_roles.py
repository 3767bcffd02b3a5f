"""What the worker's role and the reader's cannot do, and that the worker's may do what its code does."""

import ast
import asyncio
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import asyncpg
import pytest
from click.testing import CliRunner

from cli.__main__ import main
from devkit.postgres import Running, maintenance
from storage import grants
from storage.migrate import SchemaBehind, bring_up_to_date, migrate, migrations
from tests.store.conftest import execute

ROOT = Path(__file__).parents[2]
SOURCES = [file for folder in ("storage", "mailer", "worker") for file in (ROOT / folder).rglob("*.py")]
OF_PORTAL = ROOT / "storage" / "owned"
SQL = re.compile(r"\s*(SELECT\b|INSERT INTO|UPDATE [a-z]|DELETE FROM|WITH\b)[^{]*\Z", re.DOTALL)

NOT_THE_WORKER = [
    "DELETE FROM tombstone",
    "UPDATE tombstone SET owner = 'other'",
    "TRUNCATE tombstone",
    "ALTER TABLE tombstone DISABLE TRIGGER ALL",
    "DROP TRIGGER only_added_to ON tombstone",
    "DELETE FROM access",
    "UPDATE access SET operator = 'nobody'",
    "TRUNCATE access",
    "ALTER TABLE access DISABLE TRIGGER only_added_to",
    "SET session_replication_role = replica",
    "CREATE OR REPLACE FUNCTION only_added_to() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN END'",
    "ALTER FUNCTION only_added_to() RENAME TO gone",
    "DELETE FROM call",
    "DELETE FROM audio",
    "DELETE FROM message",
    "DELETE FROM recording",
    "DELETE FROM legal_hold",
    "UPDATE migration SET sha256 = ''",
    "ALTER TABLE call ADD COLUMN more text",
    "ALTER TABLE audio OWNER TO callengine_worker",
    "DROP TABLE call CASCADE",
    "CREATE TABLE public.mine (n int)",
    "CREATE SCHEMA mine",
    "CREATE TABLE keys.mine (n int)",
    "DROP SCHEMA keys CASCADE",
    "TRUNCATE keys.audio_key",
    "ALTER TABLE keys.audio_key DISABLE TRIGGER note_residue",
    "INSERT INTO keys.epoch (epoch, wal) VALUES (7, '0/0')",
    "SELECT last_value FROM keys.odd_1",
    "SELECT setval('keys.odd_1', 1)",
    "SELECT nextval('keys.odd_1')",
    "SELECT keys.overwrite(1, decode(repeat('00', 32), 'hex'))",
    "SET ROLE callengine_owner",
    "CREATE ROLE mine",
    "COPY call TO PROGRAM 'true'",
    "SELECT pg_read_file('postgresql.conf')",
]
NOT_THE_READER = [
    *NOT_THE_WORKER,
    "SELECT FROM keys.audio_key",
    "SELECT FROM keys.group_key",
    "SELECT keys.epoch_key(1)",
    "SELECT FROM message",
    "SELECT FROM outbox",
    "SELECT FROM audio",
    "SELECT FROM recording",
    "SELECT FROM dead_letter",
    "SELECT FROM tombstone",
    "SELECT FROM access",
    "INSERT INTO tls_seen (domain, last) VALUES ('a.example', '')",
    "INSERT INTO access (audio_id, what, operator, host) VALUES ('', 'fetch', '', '')",
    "UPDATE call SET owner = 'other'",
    "DELETE FROM leg",
    "SELECT FROM call FOR UPDATE",
    "SELECT pg_switch_wal()",
]
GIVEN = """
SELECT table_schema || '.' || table_name AS name, string_agg(privilege_type, ', ') AS rights
FROM information_schema.role_table_grants WHERE grantee = $1 GROUP BY 1
"""
NEWEST_GONE = "DELETE FROM migration WHERE name = (SELECT max(name) FROM migration)"


async def not_refused(url: str, statements: list[str]) -> list[str]:
    """Those which the database does not refuse to this role."""
    con = await asyncpg.connect(url)
    done = []
    for statement in statements:
        try:
            async with con.transaction():
                await con.execute(statement)
        except asyncpg.InsufficientPrivilegeError:
            continue
        done.append(statement)
    await con.close()
    return done


async def test_the_worker_cannot_hide_change_or_take_away_anything(roles: Mapping[str, str]) -> None:
    assert await not_refused(roles["worker"], NOT_THE_WORKER) == []


async def test_the_reader_can_only_read_calls(roles: Mapping[str, str]) -> None:
    assert await not_refused(roles["reader"], NOT_THE_READER) == []


async def test_all_of_that_can_be_done(roles: Mapping[str, str]) -> None:
    """Or a misspelt statement would be called refused: none fails for another reason than its role."""
    con = await asyncpg.connect(roles["superuser"])
    await con.execute("SET session_replication_role = replica")
    for statement in NOT_THE_READER:
        transaction = con.transaction()
        await transaction.start()
        await con.execute(statement)
        await transaction.rollback()
    await con.close()


async def test_no_table_is_forgotten_and_no_right_is_given_that_is_not_listed(
    roles: Mapping[str, str],
) -> None:
    """A migration with a new table has to say in storage/grants.py who may do what with it."""
    con = await asyncpg.connect(roles["superuser"])
    tables = "SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname IN ('public', 'keys')"
    assert {row[0] for row in await con.fetch(tables)} == set(grants.WORKER) | {"public.passkey_challenge"}
    for role, rights in (("worker", grants.WORKER), ("reader", grants.READER)):
        found = {row["name"]: row["rights"] for row in await con.fetch(GIVEN, f"callengine_{role}")}
        assert {it: set(found[it].split(", ")) for it in found} == {
            it: set(rights[it].split(", ")) for it in rights
        }
    await con.close()


def statements(files: Iterable[Path]) -> Iterator[str]:
    for file in files:
        if file.stem in {"migrate", "grants", "restoration"}:  # the owner's
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and SQL.match(node.value):
                yield node.value


@pytest.mark.parametrize(("role", "least"), [("worker", 80), ("portal", 20)])
async def test_a_role_may_do_every_statement_in_its_code(
    roles: Mapping[str, str], role: str, least: int
) -> None:
    """EXPLAIN looks at the rights, and does nothing. The worker drains, seals, mails, destroys and audits."""
    con = await asyncpg.connect(roles[role])
    allowed = 0
    for statement in statements(it for it in SOURCES if (OF_PORTAL in it.parents) == (role == "portal")):
        with suppress(asyncpg.PostgresSyntaxError):  # the beginning of a statement, which code completes
            await con.execute(f"EXPLAIN (GENERIC_PLAN) {statement}")
            allowed += 1
    assert allowed > least
    await con.close()


async def test_a_worker_that_is_not_the_owner_looks_and_changes_nothing(roles: Mapping[str, str]) -> None:
    con = await asyncpg.connect(roles["worker"])
    assert await bring_up_to_date(con) == []
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await migrate(con)
    await execute(roles["owner"], NEWEST_GONE)
    with pytest.raises(SchemaBehind, match="run `callengine migrate` as the schema's owner"):
        await bring_up_to_date(con)
    await execute(roles["owner"], "REVOKE ALL ON migration FROM callengine_worker")
    with pytest.raises(SchemaBehind, match="has no rights in it"):
        await bring_up_to_date(con)
    await con.close()


async def test_a_bare_database_waits_for_its_owner(roles: Mapping[str, str]) -> None:
    await execute(roles["superuser"], "DROP SCHEMA public, keys CASCADE; CREATE SCHEMA public")
    con = await asyncpg.connect(roles["worker"])
    with pytest.raises(SchemaBehind, match="001_calls"):
        await bring_up_to_date(con)
    await con.close()


async def test_one_role_for_everything_brings_the_schema_by_itself(roles: Mapping[str, str]) -> None:
    await execute(roles["superuser"], "DROP SCHEMA keys CASCADE; DROP OWNED BY callengine_owner CASCADE")
    con = await asyncpg.connect(roles["owner"])
    assert await bring_up_to_date(con) == [migration.name for migration in migrations()]
    assert await bring_up_to_date(con) == []
    await con.close()


async def test_the_commands_of_the_guide_make_these_roles(own_server: Running) -> None:
    guide = (ROOT / "docs/operating.md").read_text()
    block = re.search(r"^## Database\n.*?```sql\n(.*?)```", guide, re.DOTALL | re.MULTILINE)
    assert block
    database = maintenance(own_server.url)
    await execute(database, "DROP DATABASE callengine")
    for line in block[1].splitlines():
        if line.startswith("\\connect"):
            database = own_server.url
        else:
            await execute(database, line)
    owner, worker, reader = (
        re.sub("://.*@", f"://callengine_{role}:...@", own_server.url)
        for role in ("owner", "worker", "reader")
    )
    told = await asyncio.to_thread(run, "migrate", "--database", owner)
    assert told.count("rights given to") == 3
    assert await not_refused(worker, NOT_THE_WORKER) == []
    await execute(worker, "SELECT pg_switch_wal()")
    await execute(worker, "SELECT pg_ls_waldir()")
    assert "call_id" in await asyncio.to_thread(run, "calls", "--database", reader)


def run(*words: str, code: int = 0) -> str:
    shown = CliRunner().invoke(main, words)
    assert shown.exit_code == code, shown.output
    return shown.output


async def test_migrate_says_whom_it_gave_rights_and_each_command_which_role_it_needs(
    roles: Mapping[str, str],
) -> None:
    told = await asyncio.to_thread(run, "migrate", "--database", roles["owner"])
    assert "rights given to callengine_reader\n" in told
    assert "rights given to callengine_worker\n" in told
    assert "call_id" in await asyncio.to_thread(run, "calls", "--database", roles["reader"])
    told = await asyncio.to_thread(run, "messages", "--database", roles["reader"], code=1)
    assert "this database role may not do that" in told
    told = await asyncio.to_thread(run, "migrate", "--database", roles["worker"], code=1)
    assert "`callengine migrate` needs the schema's owner" in told
