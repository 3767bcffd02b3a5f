"""One owner never sees another's: on any page, and in the database itself, whatever the portal asks."""

import re
from collections.abc import Mapping
from uuid import UUID

import asyncpg
import pytest

from portal import pages, site
from storage import access
from storage.access import Access, Actor
from storage.grants import OWN_ROWS, PORTAL
from storage.owned import accesses, calls, messages, recordings, statistics
from storage.owned.calls import CallFilter
from storage.owned.tenant import RoleUnlimited, connect, nobodys, owned, require_limited
from storage.recordings import Refused, destroy
from tests.store.calls import NOON, call_id
from tests.store.conftest import execute
from tests.store.conversations import recording_id
from tests.store.portal import ACME, BAKERY, OFFICE, OVEN, Street
from tests.store.sounds import audio_id

EMPTY_HERE = {"attempt", "legal_hold", "tombstone"}
CHANGED = """
INSERT INTO owner_change (owner, setting, value, changed_by) VALUES
    ('acme', 'name', '"of acme"', 'a'), ('bakery', 'name', '"of bakery"', 'b');
INSERT INTO owner_address (link_hash, owner, address, setting, asked_by, expires_at) VALUES
    ('1', 'acme', 'of acme', 'mail', 'a', now()), ('2', 'bakery', 'of bakery', 'mail', 'b', now());
INSERT INTO owner_notice (owner, recipient, what, address, language, require_tls) VALUES
    ('acme', 'of acme', 'added', 'a', 'nl', false), ('bakery', 'of bakery', 'added', 'b', 'nl', false);
INSERT INTO owner_switch (owner, number, name, until, put_by, reason) VALUES
    ('acme', '+3270012345', 'of acme', now(), 'a', ''),
    ('bakery', '+3280012345', 'of bakery', now(), 'b', '');
INSERT INTO passkey (owner, address, credential_id, public_key, user_handle, sign_count, name) VALUES
    ('acme', 'of acme', '1', '', '', 0, 'x'), ('bakery', 'of bakery', '2', '', '', 0, 'x');
"""
OWNER = Actor(OFFICE, "portal", "owner")


@pytest.fixture
async def street(street: Street, roles: Mapping[str, str]) -> Street:
    """Rows of both owners in every table of owners."""
    await execute(roles["superuser"], CHANGED)
    for n in (2, 12):
        await access.add(street.house.con, recording_id(n), Access.FETCH)
    return street


def paths_of(*numbers: int) -> list[tuple[str, str]]:
    """Every route that has an id in it, with each of these ids: method and path."""
    found = []
    for module in site.PAGES:
        for route in module.ROUTES:
            if "{" in route.path:
                for n in numbers:
                    path = re.sub(r"\{call:.*?\}(?=/|$)", call_id(n), route.path)
                    path = re.sub(r"\{recording:[^}]*\}[^}]*\}[^}]*\}", recording_id(n), path)
                    path = re.sub(r"\{message:[^}]*\}[^}]*\}[^}]*\}", audio_id(n), path)
                    found.append((route.method, path.replace("{format:wav|flac|mp3|opus}", "mp3")))
    return [(method, path) for method, path in found if "{" not in path]


def all_paths() -> list[tuple[str, str]]:
    plain = [
        (route.method, route.path)
        for module in site.PAGES
        for route in module.ROUTES
        if "{" not in route.path
    ]
    forms = [("GET", f"/calls/calls.{form}") for form in ("csv", "json", "xlsx")]
    return [*plain, *forms, ("POST", "/logout"), *paths_of(1, 2, 3)]


async def test_the_ids_of_another_owner_lead_nowhere_on_any_route(street: Street) -> None:
    tried = paths_of(11, 12, 13)
    assert len({path for _, path in tried}) >= 24
    browser = await street.logged_in(OFFICE)
    for method, path in tried:
        fields = {"sure": path.split("/")[2]}
        answer = await (browser.send(path, **fields) if method == "POST" else browser.get(path))
        assert (answer.status, answer.text) == (404, answer.text[:60]), path
    assert await street.house.destroy() == 0


async def test_no_page_of_an_owner_names_anything_of_another(street: Street) -> None:
    browser = await street.logged_in(OVEN)
    for path in ("/", *(f"/{name}" for name in pages.PAGES[1:]), "/calls/calls.csv", "/calls/calls.json"):
        page = await browser.get(path)
        assert page.status == 200
        for word in (*map(call_id, (1, 2, 3, 4)), "ACME", "+3270012345", "070 01 23 45"):
            assert word not in page.text, (path, word)


async def test_a_filter_sealed_for_one_owner_means_nothing_to_another(street: Street) -> None:
    one, other = await street.logged_in(OFFICE), await street.logged_in(OVEN)
    place = (await one.send("/calls", outcome="answered")).place
    assert (await one.get(place)).status == 200
    assert (await other.get(place)).status == 404
    assert (await one.get(place[:-2] + "xx")).status == 404


async def test_the_database_hides_another_owners_rows_though_the_portal_asks_for_them(street: Street) -> None:
    """The portal's own check, the owner in each statement, is as good as switched off here."""
    async with owned(street.services.pool, "acme") as con:
        found, _ = await calls.page(con, "bakery", CallFilter(), None, 50)
        assert found == []
        assert await calls.get(con, "bakery", UUID(call_id(11))) is None
        assert [it async for it in calls.stream(con, "bakery", CallFilter())] == []
        assert (await statistics.count(con, "bakery", NOON, NOON.replace(year=2027), "UTC")).total == 0
        assert (await messages.page(con, "bakery", None, 50))[0] == []
        assert await messages.get(con, "bakery", audio_id(13)) is None
        assert (await recordings.page(con, "bakery", None, 50))[0] == []
        assert await recordings.get(con, "bakery", recording_id(12)) is None
        assert (await accesses.page(con, "bakery", None, 50))[0] == []
        with pytest.raises(Refused, match="there is no recording"):
            await destroy(con, recording_id(12), "owner", OWNER)
        with pytest.raises(Exception, match=recording_id(12)):
            await street.services.encrypted_store.fetch(con, recording_id(12), OWNER)
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
            await access.add(con, None, Access.EXPORT, OWNER, owner="bakery")
        assert len((await calls.page(con, "acme", CallFilter(), None, 50))[0]) == 4


async def test_every_table_of_owners_shows_an_owner_only_their_rows_and_nobody_none(
    street: Street, roles: Mapping[str, str]
) -> None:
    con = await asyncpg.connect(roles["superuser"])
    for table in OWN_ROWS:
        filled = await con.fetchval(f"SELECT count(*) > 0 FROM {table}")  # noqa: S608
        assert filled or table in EMPTY_HERE, table
    await con.close()
    async with nobodys(street.services.pool) as unasked:
        for table in OWN_ROWS:
            assert await unasked.fetchval(f"SELECT count(*) FROM {table}") == 0, table  # noqa: S608
    for owner, ours, theirs in ((ACME, (1, 2, 3, 4), (11, 12, 13)), (BAKERY, (11, 12, 13), (1, 2, 3, 4))):
        async with owned(street.services.pool, owner) as asked:
            told = ""
            for table in OWN_ROWS:
                told += "".join(row[0] for row in await asked.fetch(f"SELECT t::text FROM {table} t"))  # noqa: S608
        assert all(call_id(n) in told for n in ours)
        assert not any(call_id(n) in told for n in theirs)
        assert (told.count("of acme"), told.count("of bakery")) == ((5, 0) if owner == ACME else (0, 5))


def test_every_table_with_rows_of_owners_has_a_policy() -> None:
    of_nobody = {"public.migration", "public.portal_lock", "public.portal_login", "public.portal_session"}
    of_nobody |= {
        "public.api_token",
        "public.passkey_challenge",
        "public.tls_seen",
        "keys.epoch",
        "keys.group_key",
    }
    assert {table.removeprefix("public.") for table in set(PORTAL) - of_nobody} == set(OWN_ROWS)


async def test_a_connection_that_is_returned_forgets_its_owner(
    street: Street, roles: Mapping[str, str]
) -> None:
    assert street.house
    pool = await connect(roles["portal"], 1, 5)  # one connection, used again
    async with owned(pool, "acme") as con:
        assert await con.fetchval("SELECT count(*) FROM call") == 4
    async with nobodys(pool) as con:
        assert await con.fetchval("SELECT count(*) FROM call") == 0
    await pool.close()


async def test_a_role_that_sees_everything_is_refused(street: Street, roles: Mapping[str, str]) -> None:
    for role in ("superuser", "owner"):
        con = await asyncpg.connect(roles[role])
        with pytest.raises(RoleUnlimited, match="callengine_portal"):
            await require_limited(con)
        await con.close()
    async with nobodys(street.services.pool) as con:
        await require_limited(con)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audio SET hold = NULL",
        "UPDATE audio SET state = 'destroyed'",
        "DELETE FROM audio",
        "UPDATE call SET caller = ''",
        "INSERT INTO call SELECT * FROM call",
        "DELETE FROM access",
        "UPDATE access SET operator = ''",
        "DELETE FROM portal_lock",
        "DELETE FROM keys.audio_key",
        "SELECT keys.end_epoch(1)",
        "SELECT last_value FROM keys.odd_1",
        "ALTER TABLE call DISABLE ROW LEVEL SECURITY",
        "DROP POLICY own_rows ON call",
        "SET row_security = off; SELECT FROM call",
        "SET ROLE callengine_worker",
    ],
)
async def test_the_portals_role_cannot(street: Street, statement: str) -> None:
    async with owned(street.services.pool, "acme") as con:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await con.execute(statement)
        await con.execute("RESET row_security")


async def test_without_a_login_every_route_leads_to_it(street: Street) -> None:
    browser = street.browser()
    for method, path in [*all_paths(), ("GET", "/nothing"), ("PUT", "/calls"), ("DELETE", "/")]:
        answer = await browser.ask(method, path, data={} if method == "POST" else None)
        assert (answer.status, answer.place) == (303, "/login"), (method, path)
