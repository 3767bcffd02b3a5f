"""Login to the portal, by a link in a mail."""

import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from portal.secrets import new_token
from storage.owned.logins import add_link
from tests.lateness import PATIENCE
from tests.store.portal import (
    ACME,
    OFFICE,
    OVEN,
    OWNERS,
    Street,
    body_of,
    fields_of,
    street_of,
    write_routing,
)

SHIFT = "UPDATE {} SET {} = {} - interval '16 minutes'"


@pytest.fixture
async def street(roles: Mapping[str, str], tmp_path: Path) -> AsyncIterator[Street]:
    async with street_of(roles, tmp_path) as found:
        yield found


async def test_an_owner_logs_in_by_a_mail_and_logs_out(street: Street) -> None:
    browser = await street.logged_in(OFFICE)
    page = await browser.get("/calls")
    assert (page.status, "ACME Dentists" in page.text) == (200, True)
    assert (await browser.send("/logout")).place == "/login"
    assert (await browser.get("/calls")).place == "/login"


async def test_the_answer_is_the_same_whether_an_address_is_known_or_not(street: Street) -> None:
    known, unknown = street.browser(), street.browser()
    first = await known.post("/login", {"address": OFFICE})
    second = await unknown.post("/login", {"address": "nobody@acme.example"})
    assert (first.status, first.text) == (second.status, second.text)
    assert set(first.headers) == set(second.headers)
    await street.mail.has(1, PATIENCE)
    assert [mail.recipients for mail in street.mail.mails] == [(OFFICE,)]


async def test_opening_the_link_uses_nothing_up_so_a_mail_scanner_does_no_harm(street: Street) -> None:
    browser, scanner = street.browser(), street.browser()
    link = await street.link(browser, OFFICE)
    for _ in range(3):
        assert (await scanner.get(link)).status == 410
        assert (await browser.get(link)).status == 200
    answer = await browser.post("/login/use", fields_of((await browser.get(link)).text))
    assert answer.place == "/"


async def test_a_link_counts_once_in_its_browser_and_for_15_minutes(street: Street) -> None:
    browser, other = street.browser(), street.browser()
    fields = fields_of((await browser.get(await street.link(browser, OFFICE))).text)
    assert (await other.post("/login/use", fields)).status == 410
    await street.link(other, OVEN)  # it has a cookie, of another link
    assert (await other.post("/login/use", fields)).status == 410
    kept = dict(browser.cookies)
    assert (await browser.post("/login/use", fields)).place == "/"
    browser.session.cookie_jar.update_cookies(kept)
    assert (await browser.post("/login/use", fields)).status == 410  # replayed
    late = street.browser()
    fields = fields_of((await late.get(await street.link(late, OFFICE))).text)
    await street.house.con.execute(SHIFT.format("portal_login", "expires_at", "expires_at"))
    assert (await late.post("/login/use", fields)).status == 410


async def test_a_link_of_the_operator_counts_in_any_browser_once(street: Street) -> None:
    link = new_token()
    await add_link(street.house.con, link, ACME, OFFICE)
    first, second = street.browser(), street.browser()
    pages = [await browser.get(f"/login/{link}") for browser in (first, second)]
    assert [page.status for page in pages] == [200, 200]
    assert (await first.post("/login/use", fields_of(pages[0].text))).place == "/"
    assert (await second.post("/login/use", fields_of(pages[1].text))).status == 410
    assert "ACME Dentists" in (await first.get("/calls")).text


async def test_a_link_does_not_log_in_to_another_owner(street: Street) -> None:
    browser = street.browser()
    fields = fields_of((await browser.get(await street.link(browser, OFFICE))).text)
    assert fields["owner"] == ACME
    assert (await browser.post("/login/use", fields | {"owner": "bakery"})).status == 410
    assert (await browser.post("/login/use", fields)).place == "/"


@pytest.mark.parametrize("link", ["x" * 43, "", "../calls", "é" * 43, "x" * 5000])
async def test_a_forged_link_is_as_one_that_never_was(street: Street, link: str) -> None:
    browser = street.browser()
    await street.link(browser, OFFICE)
    assert (await browser.post("/login/use", {"link": link, "owner": ACME})).status == 410


async def test_one_address_of_two_owners_asks_which(street: Street) -> None:
    write_routing(street.state, OWNERS | {"bakery": OWNERS["bakery"].replace(OVEN, OFFICE)})
    await street.services.routing.look()
    browser = street.browser()
    page = await browser.get(await street.link(browser, OFFICE.upper()))
    assert re.findall('name="owner" value="([a-z]+)"', page.text) == ["acme", "bakery"]
    fields = {**fields_of(page.text), "owner": "bakery"}
    assert (await browser.post("/login/use", fields)).place == "/"
    assert "Bakery Peeters" in (await browser.get("/calls")).text


async def test_links_are_limited_by_address_and_the_answer_does_not_say_so(street: Street) -> None:
    browser = street.browser()
    answers = [await browser.post("/login", {"address": OFFICE}) for _ in range(6)]
    assert {answer.text for answer in answers} == {answers[0].text}
    await street.mail.has(3, PATIENCE)
    assert await street.house.con.fetchval("SELECT count(*) FROM portal_login") == 3
    assert len(street.mail.mails) == 3


async def test_links_are_limited_by_who_asks(street: Street) -> None:
    browser = street.browser()
    for n in range(25):
        await browser.post("/login", {"address": f"somebody{n}@acme.example"})
    assert await street.house.con.fetchval("SELECT count(*) FROM portal_login") == 20


async def test_no_secret_is_in_the_database(street: Street, roles: Mapping[str, str]) -> None:
    browser = street.browser()
    link = await street.link(browser, OFFICE)
    await browser.post("/login/use", fields_of((await browser.get(link)).text))
    told_of = "SELECT t::text FROM portal_login t UNION SELECT s::text FROM portal_session s"
    found = await street.house.con.fetch(told_of)
    told = "".join(row[0] for row in found)
    assert link.rpartition("/")[2] not in told
    assert browser.cookies["session"] not in told
    assert link.rpartition("/")[2].encode().hex() not in told


async def test_a_session_ends_when_the_address_leaves_the_owners_file(street: Street) -> None:
    browser = await street.logged_in(OFFICE)
    write_routing(street.state, OWNERS | {"acme": OWNERS["acme"].replace(OFFICE, "new@acme.example")})
    await street.services.routing.look()
    assert (await browser.get("/calls")).place == "/login"


async def test_a_session_ends_when_it_is_not_used_or_revoked_or_the_owner_is_locked(street: Street) -> None:
    con = street.house.con
    idle, revoked, locked = [await street.logged_in(OFFICE) for _ in range(3)]
    await con.execute("UPDATE portal_session SET seen_at = now() - interval '13 hours'")
    assert (await idle.get("/calls")).place == "/login"
    await con.execute("UPDATE portal_session SET seen_at = now(), ended_at = now()")
    assert (await revoked.get("/calls")).place == "/login"
    await con.execute("UPDATE portal_session SET ended_at = NULL")
    assert (await locked.get("/calls")).status == 200
    await con.execute("INSERT INTO portal_lock (owner, reason, locked_by) VALUES ('acme', 'unpaid', 'alice')")
    assert (await locked.get("/calls")).place == "/login"
    again = street.browser()
    await con.execute("DELETE FROM portal_login")
    fields = fields_of((await again.get(await street.link(again, OFFICE))).text)
    assert (await again.post("/login/use", fields)).status == 410


async def test_the_mail_is_plain_text_in_the_owners_language_with_the_whole_address(street: Street) -> None:
    await street.link(street.browser(), OVEN)
    mail = street.mail.mails[-1]
    assert mail.recipients == (OVEN,)
    assert "15 minu" in body_of(mail.content)
    assert b"text/html" not in mail.content
    assert b"Auto-Submitted: auto-generated" in mail.content
