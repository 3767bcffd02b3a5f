"""Owners and tokens as the operator sees them: what is in force, who is locked, which tokens count."""

import asyncio
import csv
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest
from click.testing import CliRunner

from cli.__main__ import main
from config.load import load
from config.owner_changes import FILE
from config.policy import Policy
from config.versions import Versions
from storage import api_tokens
from storage.api_tokens import TokenHashes
from storage.key_wrapper import new_master_key
from tests.store.calls import NOON
from tests.store.smtp import mail_server
from tests.unit.folders import good_folder
from worker.owner_changes import OwnerChangesFile

OWNER = "name: ACME Dentists\nlanguage: nl\nmail: office@acme.example\nkeep_recordings: 30 days\n"
SESSION = """
INSERT INTO portal_session (session_hash, owner, address, expires_at)
VALUES ('x', 'acme', 'office@acme.example', now() + interval '1 day')
"""


CHANGED = """
INSERT INTO owner_change (owner, setting, value, changed_by) VALUES
    ('acme', 'language', '"fr"', 'boss'), ('acme', 'mail', '["a@acme.example", "b@acme.example"]', 'boss')
"""


@dataclass
class Place:
    """A host of an engine, with one owner in force, and a command line there."""

    con: asyncpg.Connection
    told: dict[str, str]
    folder: Path

    async def run(self, *words: str, code: int = 0, more: Mapping[str, str] = {}) -> str:
        shown = await asyncio.to_thread(CliRunner().invoke, main, words, env={**self.told, **more})
        assert shown.exit_code == code, shown.output
        return shown.output


@pytest.fixture
async def place(database: str, tmp_path: Path) -> AsyncIterator[Place]:
    folder = good_folder(tmp_path / "routing")
    (folder / "owners" / "acme.yaml").write_text(OWNER)
    versions, digest = Versions(tmp_path / "routing-versions"), load(folder, Policy()).digest
    versions.store(folder, digest)
    versions.enter(digest, (), NOON)
    told = {
        "CALLENGINE_STATE": str(tmp_path),
        "CALLENGINE_ROUTING": str(folder),
        "CALLENGINE_DATABASE": database,
        "CALLENGINE_MASTER_KEY": new_master_key(),
    }
    con = await asyncpg.connect(database)
    yield Place(con, told, folder)
    await con.close()


async def test_list_has_each_owner_in_force_with_logins_tokens_and_locks(place: Place) -> None:
    await place.con.execute(SESSION)
    await place.run("tokens", "create", "acme", "--name", "crm", "--scope", "calls")
    rows = csv.DictReader((await place.run("owners", "list")).splitlines())
    (row,) = [row for row in rows if row["owner"] == "acme"]
    assert (row["name"], row["keep_recordings"], row["anonymise_after"]) == ("ACME Dentists", "30 days", "")
    assert (row["logged_in"], row["tokens"], row["locked"]) == ("1", "1", "")


async def test_show_has_what_the_file_says_and_is_not_in_force(place: Place) -> None:
    (place.folder / "owners" / "acme.yaml").write_text(OWNER.replace("30 days", "10 days"))
    shown = json.loads(await place.run("owners", "show", "acme", "--format", "json"))
    assert shown["in_force"]["keep_recordings"] == "30 days"
    assert shown["file_differs"] == {"keep_recordings": "10 days"}
    assert "not in force yet: keep_recordings: 10 days\n" in await place.run("owners", "show", "acme")
    assert "there is no owner nobody" in await place.run("owners", "show", "nobody", code=1)


async def test_show_has_what_the_owner_has_changed_and_reset_drops_it(place: Place) -> None:
    await place.con.execute(CHANGED)
    job = OwnerChangesFile(Path(place.told["CALLENGINE_STATE"]) / FILE)
    await job.look(place.con)
    shown = json.loads(await place.run("owners", "show", "acme", "--format", "json"))
    assert (shown["in_force"]["language"], shown["file_differs"]) == ("fr", {})
    changed = shown["changed_by_owner"]
    assert (changed["language"]["value"], changed["language"]["file"]) == ("fr", "nl")
    assert (changed["mail"]["value"], changed["mail"]["by"]) == ("a@acme.example, b@acme.example", "boss")
    text = await place.run("owners", "show", "acme")
    assert "changed by the owner: language: fr (file: nl), " in text
    assert "cannot be changed by owners" in await place.run("owners", "reset", "acme", "tls", code=1)
    assert await place.run("owners", "reset", "acme", "language") == "acme: language as the file has it\n"
    assert await place.run("owners", "reset", "acme") == "acme: mail as the file has it\n"
    assert "has changed none" in await place.run("owners", "reset", "acme")  # as often as one likes
    assert "there is no owner" in await place.run("owners", "reset", "nobody", code=1)
    await job.look(place.con)
    listed = await place.run("owners", "list")
    assert "nl,office@acme.example" in listed
    lines = await place.con.fetch(
        "SELECT owner, actor, detail FROM access WHERE what = 'change' ORDER BY seq"
    )
    assert tuple(lines[0]) == ("acme", "operator", 'language: "fr" -> (provider)')
    assert len(lines) == 2


async def test_lock_ends_logins_and_no_token_counts_until_unlock(place: Place) -> None:
    await place.con.execute(SESSION)
    token = (await place.run("tokens", "create", "acme", "--name", "crm", "--scope", "calls")).strip()
    hashes = TokenHashes(place.told["CALLENGINE_MASTER_KEY"])
    assert await api_tokens.find(place.con, hashes, token) is not None
    await place.run("owners", "lock", "acme", "--reason", "unpaid")
    assert await api_tokens.find(place.con, hashes, token) is None
    listed = await place.run("owners", "list")
    assert "unpaid, by" in listed
    assert await place.con.fetchval("SELECT ended_at IS NOT NULL FROM portal_session")
    await place.run("owners", "unlock", "acme")
    assert await api_tokens.find(place.con, hashes, token) is not None
    assert "acme is not locked" in await place.run("owners", "unlock", "acme", code=1)


async def test_invite_mails_the_address_of_the_portal_in_the_owners_language(place: Place) -> None:
    async with mail_server() as server:
        told = {
            "CALLENGINE_MAIL__SMARTHOST": "127.0.0.1",
            "CALLENGINE_MAIL__PORT": str(server.port),
            "CALLENGINE_MAIL__SENDER": "portal@provider.example",
            "CALLENGINE_PORTAL__URL": "https://portal.provider.example",
        }
        shown = await place.run("owners", "invite", "acme", more=told)
        assert shown.startswith("office@acme.example: accepted")
        (mail,) = server.mails
        assert mail.recipients == ("office@acme.example",)
        assert b"https://portal.provider.example" in mail.content
        assert b"U krijgt dan een mail" in mail.content
    assert "portal.url is not set" in await place.run("owners", "invite", "acme", code=1)


async def test_a_token_is_shown_once_counts_until_revoked_and_is_stored_as_a_hash(place: Place) -> None:
    words = (
        "tokens",
        "create",
        "acme",
        "--name",
        "crm",
        "--scope",
        "calls",
        "--scope",
        "audio",
        "--days",
        "9",
    )
    token = (await place.run(*words)).strip()
    hashes = TokenHashes(place.told["CALLENGINE_MASTER_KEY"])
    found = await api_tokens.find(place.con, hashes, token)
    assert found is not None
    assert (found.owner, found.name, found.scopes) == ("acme", "crm", frozenset({"calls", "audio"}))
    rows = [row["row"] for row in await place.con.fetch("SELECT t::text AS row FROM api_token AS t")]
    assert token.removeprefix("callengine_") not in str(rows)
    (listed,) = json.loads(await place.run("tokens", "list", "--format", "json"))
    assert (listed["owner"], listed["scopes"], listed["revoked_at"]) == ("acme", "audio calls", None)
    for other in (token[:-1], token[:-1] + "?", token + "a", "", token.swapcase()):
        assert await api_tokens.find(place.con, hashes, other) is None
    assert await api_tokens.find(place.con, TokenHashes(new_master_key()), token) is None
    await place.con.execute("UPDATE api_token SET expires_at = now()")
    assert await api_tokens.find(place.con, hashes, token) is None
    await place.con.execute("UPDATE api_token SET expires_at = NULL")
    assert await place.run("tokens", "revoke", "1") == "token 1 is revoked\n"
    assert await api_tokens.find(place.con, hashes, token) is None
    assert "no token 1 that counts" in await place.run("tokens", "revoke", "1", code=1)
    assert "there is no owner nobody" in await place.run(
        "tokens", "create", "nobody", "--name", "x", "--scope", "calls", code=1
    )
