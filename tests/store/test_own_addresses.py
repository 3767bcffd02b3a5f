"""An owner's mail addresses in the portal: confirmed by a mail, the others told, links that count once."""

import html
import re
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest

from mailer.compose import Sender
from mailer.notices import Notices
from storage.key_wrapper import new_master_key
from tests.lateness import PATIENCE
from tests.store.points import stretch
from tests.store.portal import ACME, OFFICE, OVEN, Browser, Street, body_of, street_of
from tests.store.smtp import mail_server
from tests.store.worker_process import until, working
from tests.tiers import first_light

NEW = "front-desk@acme.example"
WAITING = """
INSERT INTO owner_notice (owner, recipient, what, address, language, require_tls)
VALUES ('acme', 'office@acme.example', 'added', 'front-desk@acme.example', 'nl', false)
"""
LINK = r"(/confirm/[a-z]+/[A-Za-z0-9_-]{43})"


@pytest.fixture
async def all_rows(roles: Mapping[str, str]) -> AsyncIterator[asyncpg.Connection]:
    """A role that sees every row: the worker's does not see links."""
    con = await asyncpg.connect(roles["superuser"])
    yield con
    await con.close()


@pytest.fixture
async def street(roles: Mapping[str, str], tmp_path: Path) -> AsyncIterator[Street]:
    async with street_of(roles, tmp_path) as found:
        yield found


async def asked(street: Street, browser: Browser, address: str = NEW, setting: str = "mail") -> str:
    """Ask for an address; return the path of the link that is mailed there."""
    before = len(street.mail.mails)
    answer = await browser.send("/data/addresses", address=address, setting=setting)
    assert (answer.status, answer.place) == (303, "/data")
    await street.mail.has(before + 1, PATIENCE)
    mail = street.mail.mails[-1]
    assert mail.recipients == (address,)
    found = re.search(street.url + LINK, body_of(mail.content))
    assert found
    return found[1]


async def confirmed(browser: Browser, path: str) -> int:
    page = await browser.get(path)
    assert page.status == 200
    fields = dict(re.findall(r'name="(link|owner)" value="([^"]*)"', page.text))
    return (await browser.post("/confirm/use", fields)).status


async def told(street: Street) -> dict[str, str]:
    """Have the worker send the notices; the text of each by its recipient."""
    before = len(street.mail.mails)
    post = street.services.links._post  # one that reaches this test's server
    notices = Notices(post, Sender("portal@provider.example", "Provider"), timedelta(minutes=1), frozenset())
    while await notices.send_next(street.house.con):
        pass
    assert await street.house.con.fetchval("SELECT count(*) FROM owner_notice") == 0
    return {mail.recipients[0]: body_of(mail.content) for mail in street.mail.mails[before:]}


def mail_of(street: Street) -> tuple[tuple[str, ...], str | None]:
    owner = street.services.routing.owner(ACME)
    assert owner
    return owner.mail, owner.mail_then


async def test_a_new_address_counts_once_it_is_confirmed_and_the_old_one_is_told(street: Street) -> None:
    browser = await street.logged_in(OFFICE)
    path = await asked(street, browser)
    assert NEW in (await browser.get("/data")).text
    await street.spread()
    assert mail_of(street) == ((OFFICE,), None)
    stranger = street.browser()
    assert (await stranger.post("/login", {"address": NEW})).status == 200
    assert await street.house.con.fetchval("SELECT count(*) FROM owner_notice") == 0
    assert await confirmed(stranger, path) == 200
    await street.spread()
    assert mail_of(street) == ((OFFICE, NEW), None)
    notices = await told(street)
    assert list(notices) == [OFFICE]
    assert NEW in notices[OFFICE]
    assert "call your provider" in notices[OFFICE]
    assert await street.logged_in(NEW)
    log = html.unescape((await browser.get("/accesses")).text)
    assert f"Mail addresses: {OFFICE} -> {OFFICE}, {NEW}" in log


async def test_opening_the_link_confirms_nothing_and_it_counts_once_for_a_day(
    street: Street, all_rows: asyncpg.Connection
) -> None:
    browser, other = await street.logged_in(OFFICE), street.browser()
    path = await asked(street, browser)
    for _ in range(3):
        assert (await other.get(path)).status == 200
    await street.spread()
    assert mail_of(street)[0] == (OFFICE,)
    assert await confirmed(other, path) == 200
    link = path.rpartition("/")[2]
    for _ in range(2):
        assert (await other.post("/confirm/use", {"owner": ACME, "link": link})).status == 410
    assert (await other.get(path)).status == 410
    late = await asked(street, browser, "late@acme.example")
    await all_rows.execute("UPDATE owner_address SET expires_at = now() WHERE used_at IS NULL")
    assert (await other.get(late)).status == 410
    fields = {"owner": ACME, "link": late.rpartition("/")[2]}
    assert (await other.post("/confirm/use", fields)).status == 410
    await street.spread()
    assert mail_of(street)[0] == (OFFICE, NEW)


@pytest.mark.parametrize("link", ["", "x", "A" * 43, "' OR 1=1 --", "../../etc/passwd"])
async def test_a_forged_link_confirms_nothing(street: Street, link: str) -> None:
    browser = street.browser()
    for owner in (ACME, "nobody", "bakery", "%", ""):
        assert (await browser.post("/confirm/use", {"owner": owner, "link": link})).status == 410
    assert (await browser.get(f"/confirm/acme/{'A' * 43}")).status == 410
    assert await street.house.con.fetchval("SELECT count(*) FROM owner_change") == 0


async def test_a_link_of_one_owner_means_nothing_for_another(street: Street) -> None:
    path = await asked(street, await street.logged_in(OFFICE))
    link = path.rpartition("/")[2]
    assert (await street.browser().get(f"/confirm/bakery/{link}")).status == 410
    assert (await street.browser().post("/confirm/use", {"owner": "bakery", "link": link})).status == 410


async def test_a_link_ends_when_it_is_withdrawn_or_who_asked_is_gone_or_the_owner_is_locked(
    street: Street, all_rows: asyncpg.Connection
) -> None:
    office, other = await street.logged_in(OFFICE), street.browser()
    await confirmed(other, await asked(street, office))
    await street.spread()
    desk = await street.logged_in(NEW)
    withdrawn = await asked(street, desk, "one@acme.example")
    assert (await desk.send("/data/addresses/remove", address="one@acme.example")).place == "/data"
    of_desk = await asked(street, desk, "two@acme.example")
    of_office = await asked(street, office, "three@acme.example")
    assert (await office.send("/data/addresses/remove", address=NEW)).place == "/data"
    await all_rows.execute("INSERT INTO portal_lock (owner, reason, locked_by) VALUES ('acme', '', '')")
    for path in (withdrawn, of_desk, of_office):
        link = path.rpartition("/")[2]
        assert (await other.post("/confirm/use", {"owner": ACME, "link": link})).status == 410
    await all_rows.execute("DELETE FROM portal_lock")
    link = of_desk.rpartition("/")[2]
    assert (await other.post("/confirm/use", {"owner": ACME, "link": link})).status == 410
    assert await confirmed(other, of_office) == 200
    await street.spread()
    assert mail_of(street)[0] == (OFFICE, "three@acme.example")


async def test_an_address_is_removed_and_both_are_told_and_its_logins_end(street: Street) -> None:
    office = await street.logged_in(OFFICE)
    await confirmed(street.browser(), await asked(street, office))
    await street.spread()
    await told(street)
    desk = await street.logged_in(NEW)
    assert (await desk.send("/data/addresses/remove", address=OFFICE)).status == 303
    await street.spread()
    assert mail_of(street) == ((NEW,), None)
    notices = await told(street)
    assert sorted(notices) == [NEW, OFFICE]
    assert "not one of your mail addresses any more" in notices[OFFICE]
    assert (await office.get("/data")).place == "/login"
    assert (await desk.get("/data")).status == 200


async def test_the_last_address_and_one_of_nobody_are_not_removed(street: Street) -> None:
    browser = await street.logged_in(OFFICE)
    for address in (OFFICE, "nobody@acme.example", OVEN, ""):
        answer = await browser.send("/data/addresses/remove", address=address)
        assert answer.place == "/data?refused=mail"
    assert "not possible" in (await browser.get("/data?refused=mail")).text
    assert await street.house.con.fetchval("SELECT count(*) FROM owner_change") == 0


async def test_an_address_for_when_the_others_fail_replaces_the_one_before(street: Street) -> None:
    browser = await street.logged_in(OFFICE)
    for address in ("boss@acme.example", "owner@acme.example"):
        await confirmed(street.browser(), await asked(street, browser, address, "mail_then"))
    await street.spread()
    assert mail_of(street) == ((OFFICE,), "owner@acme.example")
    assert (await browser.send("/data/addresses/remove", address="owner@acme.example")).place == "/data"
    await street.spread()
    assert mail_of(street) == ((OFFICE,), None)


@pytest.mark.parametrize("address", ["x", "a@b", "a@b.example\nBcc: c@d.example", "a b@c.example", ""])
async def test_what_is_not_an_address_gets_no_mail(
    street: Street, all_rows: asyncpg.Connection, address: str
) -> None:
    browser = await street.logged_in(OFFICE)
    answer = await browser.send("/data/addresses", address=address, setting="mail")
    assert answer.place == "/data?refused=mail"
    assert (await browser.send("/data/addresses", address=NEW, setting="audio")).place == "/data?refused=mail"
    assert await all_rows.fetchval("SELECT count(*) FROM owner_address") == 0


async def test_no_owner_mails_many_strangers(street: Street) -> None:
    browser = await street.logged_in(OFFICE)
    places = [
        (await browser.send("/data/addresses", address=f"a{n}@x.example", setting="mail")).place
        for n in range(6)
    ]
    assert places == ["/data"] * 5 + ["/data?refused=often"]
    assert "tomorrow" in (await browser.get("/data?refused=often")).text


async def test_no_link_is_in_the_database_or_in_the_log(
    street: Street, all_rows: asyncpg.Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    link = (await asked(street, await street.logged_in(OFFICE))).rpartition("/")[2]
    rows = await all_rows.fetch("SELECT o::text FROM owner_address o")
    assert rows
    assert link not in str(rows)
    written = capsys.readouterr()
    assert link not in written.out + written.err
    assert NEW not in written.out + written.err


@pytest.mark.parametrize("name", first_light(*stretch("notice")))
async def test_killed_at_a_point_the_next_worker_tells_it(database: str, tmp_path: Path, name: str) -> None:
    con = await asyncpg.connect(database)
    async with mail_server() as server:
        told = {
            "CALLENGINE_NODE": "here",
            "CALLENGINE_STATE": str(tmp_path),
            "CALLENGINE_DATABASE": database,
            "CALLENGINE_HTTP__WORKER_PORT": "0",
            "CALLENGINE_MASTER_KEY": new_master_key(),
            "CALLENGINE_ASTERISK__RECORDINGS": str(tmp_path / "spool"),
            "CALLENGINE_MAIL__SENDER": "portal@provider.example",
            "CALLENGINE_MAIL__SMARTHOST": "localhost",
            "CALLENGINE_MAIL__PORT": str(server.port),
        }
        await con.execute(WAITING)

        async def is_told() -> bool:
            await con.execute(
                "UPDATE owner_notice SET next_at = now()"
            )  # the lease of the one that was killed
            return bool(await con.fetchval("SELECT count(*) = 0 FROM owner_notice"))

        async def is_dead() -> bool:
            return worker.exitcode is not None

        with working(told, tmp_path / "log", name) as worker:
            await until(is_dead, f"killed at {name}")
        with working(told, tmp_path / "log"):
            await until(is_told, "the notice is mailed")
        assert {mail.recipients[0] for mail in server.mails} == {OFFICE}
        assert len({mail.content for mail in server.mails}) == 1
    await con.close()
