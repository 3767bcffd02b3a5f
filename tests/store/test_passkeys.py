"""Passkeys of the portal: added after a login by mail, used, removed; and what does not count."""

import html
import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from portal.passkeys import WITH_SCRIPT
from storage.owned import passkeys
from storage.owned.logins import SAME_SOURCE
from storage.owned.tenant import nobodys, owned
from tests.store.authenticator import Device, options_of
from tests.store.conftest import execute
from tests.store.portal import ACME, OFFICE, OVEN, OWNERS, Answer, Browser, Street, street_of, write_routing
from tests.store.test_own_addresses import told

LATE = "UPDATE passkey_challenge SET expires_at = now() - interval '1 second'"
LOCK = "INSERT INTO portal_lock (owner, reason, locked_by) VALUES ('acme', 'unpaid', 'alice')"


@pytest.fixture
async def street(roles: Mapping[str, str], tmp_path: Path) -> AsyncIterator[Street]:
    """Its pages are at a name: browsers bind no passkey to an IP address."""
    async with street_of(roles, tmp_path, name="localhost") as found:
        yield found


async def added(street: Street, browser: Browser, name: str = "telephone") -> Device:
    """A device that has a passkey of the owner who is logged in."""
    device = Device(street.url)
    page = await browser.send("/data/passkeys", name=name)
    assert page.status == 200
    answer = device.creates(options_of(page.text))
    done = await browser.send("/data/passkeys/add", name=name, answer=answer)
    assert (done.status, done.place) == (303, "/data"), done.place
    return device


async def asked(browser: Browser) -> Answer:
    page = await browser.post("/login/passkey")
    assert page.status == 200, page.text
    return page


async def use(browser: Browser, answer: str) -> int:
    """303: logged in."""
    return (await browser.post("/login/passkey/use", {"answer": answer})).status


async def log_in(browser: Browser, device: Device) -> int:
    return await use(browser, device.logs_in(options_of((await asked(browser)).text)))


async def test_an_owner_adds_a_passkey_logs_in_with_it_and_is_told(street: Street) -> None:
    browser = await street.logged_in(OVEN)
    device = await added(street, browser, "oven & <b>")
    notices = await told(street)
    assert set(notices) == {OVEN, "second@bakery.example"}
    assert "“oven & <b>”" in notices[OVEN]
    other = street.browser()
    assert await log_in(other, device) == 303
    page = await other.get("/data")
    assert "Bakery Peeters" in page.text
    assert "oven &amp; &lt;b&gt;" in page.text
    log = html.unescape((await other.get("/accesses")).text)
    assert "aangemeld Toegangssleutel: oven & <b>" in log
    assert "gewijzigd: Toegangssleutel: -> oven & <b>" in log
    assert await log_in(street.browser(), device) == 303  # as often as one likes


async def test_a_passkey_that_is_removed_counts_no_more_and_its_logins_end(street: Street) -> None:
    browser, other = await street.logged_in(OFFICE), street.browser()
    device = await added(street, browser)
    assert await log_in(other, device) == 303
    assert (await other.get("/calls")).status == 200
    assert (await browser.send("/data/passkeys/remove", passkey=await number(browser))).status == 303
    assert (await other.get("/calls")).place == "/login"
    assert (await browser.get("/calls")).status == 200
    assert await log_in(street.browser(), device) == 403
    await street.house.con.execute("DELETE FROM owner_notice WHERE what = 'passkey_added'")
    assert "cannot log in" in (await told(street))[OFFICE]


async def number(browser: Browser) -> str:
    found = re.search(r'name="passkey" value="(\d+)"', (await browser.get("/data")).text)
    assert found
    return found[1]


async def test_an_answer_counts_once_in_its_browser_and_for_some_minutes(
    street: Street, roles: Mapping[str, str]
) -> None:
    device = await added(street, await street.logged_in(OFFICE))
    browser, thief = street.browser(), street.browser()
    answer = device.logs_in(options_of((await asked(browser)).text))
    assert await use(thief, answer) == 403  # without the cookie
    await asked(thief)
    assert await use(thief, answer) == 403  # with the cookie of another challenge
    kept = dict(browser.cookies)
    assert await use(browser, answer) == 303
    browser.session.cookie_jar.update_cookies(kept)
    assert await use(browser, answer) == 403  # replayed
    late = street.browser()
    answer = device.logs_in(options_of((await asked(late)).text))
    await execute(roles["superuser"], LATE)
    assert await use(late, answer) == 403


@pytest.mark.parametrize("origin", ["https://evil.example", "http://localhost", "http://localhost:1", "null"])
async def test_an_answer_to_the_page_of_another_site_is_refused(street: Street, origin: str) -> None:
    browser = await street.logged_in(OFFICE)
    device = await added(street, browser)
    device.origin = origin
    assert await log_in(street.browser(), device) == 403
    page = await browser.send("/data/passkeys", name="x")
    answer = Device(origin).creates(options_of(page.text))
    done = await browser.send("/data/passkeys/add", name="x", answer=answer)
    assert done.place == "/data?refused=passkey"


async def test_a_passkey_of_another_host_is_refused(street: Street) -> None:
    device = await added(street, await street.logged_in(OFFICE))
    browser = street.browser()
    options = options_of((await asked(browser)).text) | {"rpId": "evil.example"}
    assert await use(browser, device.logs_in(options)) == 403


async def test_a_device_has_to_verify_its_user(street: Street) -> None:
    browser = await street.logged_in(OFFICE)
    device = await added(street, browser)
    device.verifies = False
    assert await log_in(street.browser(), device) == 403
    page = await browser.send("/data/passkeys", name="x")
    answer = Device(street.url, verifies=False).creates(options_of(page.text))
    done = await browser.send("/data/passkeys/add", name="x", answer=answer)
    assert done.place == "/data?refused=passkey"


async def test_a_copied_device_is_noticed_by_its_count(street: Street) -> None:
    device = await added(street, await street.logged_in(OFFICE))
    copy = Device(device.origin, 0, True, device.credential_id, device.handle, device.key)
    for _ in range(2):
        assert await log_in(street.browser(), device) == 303
    assert await log_in(street.browser(), copy) == 403


async def test_a_passkey_leads_to_its_own_owner_alone(street: Street) -> None:
    acme, bakery = await street.logged_in(OFFICE), await street.logged_in(OVEN)
    one, other = await added(street, acme), await added(street, bakery)
    browser = street.browser()
    options = options_of((await asked(browser)).text)
    assert await use(browser, one.logs_in(options, userHandle=other.handle)) == 403
    swapped = Device(one.origin, 5, True, one.credential_id, other.handle, other.key)
    assert await log_in(street.browser(), swapped) == 403  # the bakery's key under ACME's name
    assert (await bakery.send("/data/passkeys/remove", passkey=await number(acme))).status == 404
    assert await log_in(browser, one) == 303
    assert "ACME Dentists" in (await browser.get("/calls")).text


async def test_the_database_hides_passkeys_without_their_owner(street: Street) -> None:
    device = await added(street, await street.logged_in(OFFICE))
    async with nobodys(street.services.pool) as con:
        assert await con.fetch("SELECT * FROM passkey") == []
        assert await passkeys.owner_of(con, device.credential_id) == ACME
    async with owned(street.services.pool, "bakery") as con:
        assert await passkeys.of(con, ACME) == []
        assert await passkeys.find(con, ACME, device.credential_id) is None


async def test_a_known_passkey_cannot_be_added_by_another_owner(street: Street) -> None:
    device = await added(street, await street.logged_in(OFFICE))
    bakery = await street.logged_in(OVEN)
    page = await bakery.send("/data/passkeys", name="mine")
    answer = device.creates(options_of(page.text))
    done = await bakery.send("/data/passkeys/add", name="mine", answer=answer)
    assert done.place == "/data?refused=passkey"


async def test_an_answer_for_one_owner_is_not_added_to_another(street: Street) -> None:
    acme, bakery = await street.logged_in(OFFICE), await street.logged_in(OVEN)
    page = await acme.send("/data/passkeys", name="x")
    answer = Device(street.url).creates(options_of(page.text))
    for browser, place in (
        (bakery, "/data?refused=passkey"),
        (acme, "/data"),
        (acme, "/data?refused=passkey"),
    ):
        done = await browser.send("/data/passkeys/add", name="x", answer=answer)
        assert done.place == place  # the last one is a replay


async def test_a_locked_owner_cannot_log_in_by_a_passkey(street: Street) -> None:
    device = await added(street, await street.logged_in(OFFICE))
    await street.house.con.execute(LOCK)
    assert await log_in(street.browser(), device) == 403
    await street.house.con.execute("DELETE FROM portal_lock")
    assert await log_in(street.browser(), device) == 303


async def test_a_passkey_counts_as_long_as_the_address_of_its_person(street: Street) -> None:
    device = await added(street, await street.logged_in(OFFICE))
    write_routing(street.state, OWNERS | {"acme": OWNERS["acme"].replace(OFFICE, "new@acme.example")})
    await street.services.routing.look()
    assert await log_in(street.browser(), device) == 403


async def test_attempts_are_limited_by_who_asks(street: Street) -> None:
    browser = street.browser()
    for _ in range(SAME_SOURCE):
        await asked(browser)
    assert (await browser.post("/login/passkey")).status == 429


@pytest.mark.parametrize(
    "answer", ["", "{}", "[]", "null", "[" * 9000, '{"rawId": 1}', '{"rawId": "AAAA"}', "é"]
)
async def test_what_is_no_answer_is_refused(street: Street, answer: str) -> None:
    browser = street.browser()
    await asked(browser)
    assert await use(browser, answer) == 403
    owner = await street.logged_in(OFFICE)
    assert (await owner.send("/data/passkeys", name="x")).status == 200
    done = await owner.send("/data/passkeys/add", name="x", answer=answer)
    assert done.place == "/data?refused=passkey"


@pytest.mark.parametrize("name", ["", "a\nb", "\u202e"])
async def test_a_passkey_has_a_name_that_may_stand_in_a_mail(street: Street, name: str) -> None:
    browser = await street.logged_in(OFFICE)
    assert (await browser.send("/data/passkeys", name=name)).place == "/data?refused=name"


async def test_one_page_has_a_script_and_only_ours(street: Street) -> None:
    page = await asked(street.browser())
    assert page.headers["Content-Security-Policy"] == WITH_SCRIPT
    assert re.findall(r"<script[^>]*>[^<]*", page.text) == ['<script src="/passkey.js" defer>']
    script = await street.browser().get("/passkey.js")
    assert (script.status, script.headers["Content-Type"]) == (200, "text/javascript; charset=utf-8")


async def test_where_browsers_allow_no_passkeys_none_are_offered(
    roles: Mapping[str, str], tmp_path: Path
) -> None:
    async with street_of(roles, tmp_path) as street:
        browser = await street.logged_in(OFFICE)
        assert "passkey" not in (await browser.get("/data")).text.lower()
        assert "passkey" not in (await street.browser().get("/login")).text.lower()
        assert (await street.browser().post("/login/passkey")).status == 404
        assert (await browser.send("/data/passkeys", name="x")).status == 404


async def test_nothing_of_a_passkey_is_in_the_log(street: Street, capsys: pytest.CaptureFixture[str]) -> None:
    device = await added(street, await street.logged_in(OFFICE), "my telephone")
    device.verifies = False
    assert await log_in(street.browser(), device) == 403
    written = capsys.readouterr()
    assert "portal_passkey_refused" in written.out + written.err
    for word in ("my telephone", OFFICE, device.credential_id.hex(), ACME):
        assert word not in (written.out + written.err).replace("portal_routing_read", "")
