"""An owner's telephone is stolen: the operator sees the passkeys, and removes them with every login."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import asyncpg
import pytest

from storage.owned.settings import ONE_AT_A_TIME
from tests.store.authenticator import Device, options_of
from tests.store.portal import ACME, OFFICE, OVEN, Street, street_of
from tests.store.test_own_addresses import told
from tests.store.test_passkeys import added, log_in
from tests.store.worker_process import until

WAITING = "SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
ENDED = "UPDATE portal_session SET ended_at = now() WHERE owner = 'acme'"
LOG = "SELECT actor, detail FROM access WHERE owner = 'acme' AND what = 'change' ORDER BY seq"


@pytest.fixture
async def street(roles: Mapping[str, str], tmp_path: Path) -> AsyncIterator[Street]:
    async with street_of(roles, tmp_path, name="localhost") as found:
        yield found


async def owners(street: Street, roles: Mapping[str, str], *words: str) -> str:
    """What `callengine owners WORDS` prints, in a process of its own; it has the worker's role."""
    environment = os.environ | {
        "CALLENGINE_STATE": str(street.state),
        "CALLENGINE_ROUTING": str(street.state / "routing"),
        "CALLENGINE_DATABASE": roles["worker"],
    }
    command = [sys.executable, "-P", "-m", "cli", "owners", *words]
    process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=PIPE, stderr=PIPE)
    shown, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return shown.decode()


async def test_show_has_the_passkeys_of_each_address(street: Street, roles: Mapping[str, str]) -> None:
    assert "passkeys: 0\n" in await owners(street, roles, "show", "bakery")
    one, two = await street.logged_in(OVEN), await street.logged_in("second@bakery.example")
    device = await added(street, one)
    await added(street, one, "laptop")
    await added(street, two, "tablet")
    assert await log_in(street.browser(), device) == 303
    rows = json.loads(await owners(street, roles, "show", "bakery", "--format", "json"))["passkeys"]
    assert [(row["address"], row["count"], row["last_used"] is None) for row in rows] == [
        (OVEN, 2, False),
        ("second@bakery.example", 1, True),
    ]
    first = await street.house.con.fetchval("SELECT min(created_at) FROM passkey")
    text = await owners(street, roles, "show", "bakery")
    assert f"passkeys of {OVEN}: 2, since {first.isoformat(timespec='seconds')}, last used " in text
    assert "passkeys of second@bakery.example: 1, since " in text
    assert ", never used\n" in text


@pytest.mark.parametrize("words", [("passkeys",), ()])
async def test_reset_leaves_a_thief_neither_passkey_nor_login_nor_address(
    street: Street, roles: Mapping[str, str], words: tuple[str, ...]
) -> None:
    owner, thief, other = await street.logged_in(OFFICE), street.browser(), await street.logged_in(OVEN)
    device = await added(street, owner)
    kept = await added(street, other)
    assert await log_in(thief, device) == 303
    asked = await thief.send("/data/addresses", address="thief@evil.example", setting="mail")
    assert asked.status == 303
    await street.house.con.execute("DELETE FROM owner_notice")
    shown = await owners(street, roles, "reset", ACME, *words)
    assert shown == "acme: passkeys removed: 1, logins ended: 2, links dropped: 1\n"
    for browser in (owner, thief):
        assert (await browser.get("/calls")).place == "/login"
    assert await log_in(street.browser(), device) == 403
    assert list(await told(street)) == [OFFICE]
    assert [tuple(row) for row in await street.house.con.fetch(LOG)][-3:] == [
        ("operator", "passkey: telephone ->"),
        ("operator", "logins: 2 -> 0"),
        ("operator", "mail: link for thief@evil.example ->"),
    ]
    assert await log_in(street.browser(), kept) == 303  # of another owner
    await added(street, await street.logged_in(OFFICE), "new telephone")
    assert "has changed none" in await owners(street, roles, "reset", ACME, "language")
    assert await street.house.con.fetchval("SELECT count(*) FROM passkey") == 2


async def test_a_passkey_is_not_added_by_a_request_that_a_reset_has_overtaken(
    street: Street, roles: Mapping[str, str]
) -> None:
    thief = await street.logged_in(OFFICE)
    page = await thief.send("/data/passkeys", name="mine")
    answer = Device(street.url).creates(options_of(page.text))
    con = await asyncpg.connect(roles["superuser"])

    async def waits() -> bool:
        return bool(await street.house.con.fetchval(WAITING))

    async with asyncio.TaskGroup() as tasks:
        async with con.transaction():
            await con.execute(ONE_AT_A_TIME, ACME)
            request = tasks.create_task(thief.send("/data/passkeys/add", name="mine", answer=answer))
            await until(waits, "the request waits for the reset")
            await con.execute(ENDED)
        assert (await request).place == "/data?refused=passkey"
    assert await con.fetchval("SELECT count(*) FROM passkey") == 0
    await con.close()
