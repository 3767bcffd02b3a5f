"""Passkeys in a real browser, with a device that Chromium plays. Heavy; skipped without a fetched browser."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from tests.store.chromium import Page, binary, chromium
from tests.store.portal import OFFICE, OVEN, Street, street_of
from tests.store.test_portal_browser import focus_and_press, log_in, looked_at

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.skipif(binary() is None, reason="scripts/fetch-chromium.sh fetches the browser"),
]
DEVICE = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}

LOGIN = 'form[action="/login/passkey"] button'
SAID = """new Promise(resolve => {
    const failed = document.getElementById('failed');
    const look = () => failed.hidden ? setTimeout(look, 50) : resolve(true);
    look();
})"""


@pytest.fixture
async def street(roles: Mapping[str, str], tmp_path: Path) -> AsyncIterator[Street]:
    async with street_of(roles, tmp_path, name="localhost") as found:
        yield found


async def device(page: Page, **changed: bool) -> str:
    """The browser has a device with passkeys; return its id."""
    await page.do("WebAuthn.enable")
    answer = await page.do("WebAuthn.addVirtualAuthenticator", options={**DEVICE, **changed})
    return str(answer["authenticatorId"])


async def press_until(page: Page, place: str) -> None:
    """Press Enter; the dialogue ends by itself, and the form that it sends leads here."""
    await page.run("window.before = true")
    await page.press("Enter", 13)
    async with asyncio.timeout(60):
        while await place_of(page) != place:  # noqa: ASYNC110 - another process goes from page to page
            await asyncio.sleep(0.05)


async def place_of(page: Page) -> str:
    """The path of the page that has loaded since; "" while there is none."""
    try:
        return str(
            await page.run("document.readyState === 'complete' && !window.before ? location.pathname : ''")
        )
    except RuntimeError:  # the page has gone while it was asked
        return ""


@pytest.mark.parametrize(("address", "language"), [(OFFICE, "en"), (OVEN, "nl")])
@pytest.mark.parametrize("width", [360, 1280])
async def test_a_passkey_is_added_and_used_by_the_keyboard(
    street: Street, tmp_path: Path, width: int, address: str, language: str
) -> None:
    async with chromium(binary() or Path(), tmp_path) as page:
        await page.size(width)
        await device(page)
        await log_in(page, street, address)
        await page.open(f"{street.url}/data")
        await page.type("#passkey-name", "my desk")
        await press_until(page, "/data")
        await looked_at(page, f"{language}-{width}-passkeys")
        assert "my desk" in await page.text()
        await page.click("nav form button")
        await looked_at(page, f"{language}-{width}-passkey-login")
        await page.run(f"document.querySelector('{LOGIN}').focus()")
        await press_until(page, "/")
        assert await page.run("document.documentElement.lang") == language
        assert await street.house.con.fetchval("SELECT count(*) FROM portal_session") == 2
        await page.open(f"{street.url}/data")
        await page.leads(focus_and_press(page, "button[name=passkey]"))
        assert "my desk" not in await page.text()
        assert [it for it in page.messages if "Clear-Site-Data" not in it] == []


@pytest.mark.parametrize(("address", "language"), [(OFFICE, "en"), (OVEN, "nl")])
async def test_a_device_that_refuses_is_said_and_may_be_tried_again(
    street: Street, tmp_path: Path, address: str, language: str
) -> None:
    async with chromium(binary() or Path(), tmp_path) as page:
        await page.size(360)
        await device(page, isUserVerified=False)
        await log_in(page, street, address)
        await page.open(f"{street.url}/data")
        await page.type("#passkey-name", "x")
        await page.leads(page.press("Enter", 13))
        assert await page.run(SAID)
        assert await page.run("!document.getElementById('start').hidden")
        await looked_at(page, f"{language}-360-passkey-failed")
        assert await page.run("document.querySelector('main a').pathname") == "/data"
        assert await street.house.con.fetchval("SELECT count(*) FROM passkey") == 0


async def test_without_script_the_page_says_so_and_the_link_works(street: Street, tmp_path: Path) -> None:
    async with chromium(binary() or Path(), tmp_path) as page:
        await page.do("Emulation.setScriptExecutionDisabled", value=True)
        await page.open(f"{street.url}/login")
        await page.leads(focus_and_press(page, LOGIN))
        assert "needs JavaScript" in await page.text()
        await log_in(page, street, OFFICE)
        await page.open(f"{street.url}/calls")
        assert "ACME Dentists" in await page.text()
