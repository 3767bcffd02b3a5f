"""The portal in a real browser: Debian's Chromium. Heavy; without a fetched browser it is skipped.

scripts/fetch-chromium.sh brings the browser. SCREENSHOTS=FOLDER keeps a picture of each page. AXE=FILE is
axe.min.js of axe-core (in the wheel axe-playwright-python): each page is then looked at for barriers, too.
"""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.store.calls import answered_call, call_id
from tests.store.chromium import Page, binary, chromium
from tests.store.conversations import record_talk, recorded_call, recording_id
from tests.store.portal import OFFICE, OVEN, Street, body_of, street_of
from tests.store.sounds import audio_id, record, voicemail_call

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.skipif(binary() is None, reason="scripts/fetch-chromium.sh fetches the browser"),
]
PAGES = ("/", "/calls", "/messages", "/recordings", "/numbers", "/accesses", "/data")
FITS = "document.documentElement.scrollWidth <= window.innerWidth"
SERIOUS = """axe.run().then(found => found.violations
    .filter(it => ['serious', 'critical'].includes(it.impact))
    .map(it => it.id + ': ' + it.nodes.map(node => node.html + ' ' + node.failureSummary).join(' | ')))"""
ENDED = """new Promise(resolve => {
    const sound = document.querySelector('audio');
    sound.onerror = () => resolve('error ' + sound.error.code);
    sound.onended = () => resolve([sound.duration, sound.currentTime]);
    sound.muted = true; sound.play();
})"""


@pytest.fixture
async def street(roles: Mapping[str, str], tmp_path: Path) -> AsyncIterator[Street]:
    """Each owner has calls, a recording of two seconds, and a message."""
    async with street_of(roles, tmp_path) as found:
        house = found.house
        theirs: dict[str, Any] = {"owner": "bakery", "number": "+3280012345"}
        for n in (40, 80):
            record_talk(house.spool.folder, n, 2.0)
            record(house.spool.folder, n + 1)
        await house.drain(
            *(answered_call(n) for n in range(1, 40)),
            recorded_call(40, days=36_500, form="flac"),
            voicemail_call(41),
            answered_call(42, withheld=True, caller=""),
            *(answered_call(n, **theirs) for n in range(50, 80)),
            recorded_call(80, days=36_500, form="flac", **theirs),
            voicemail_call(81, **theirs),
        )
        await house.seal()
        digest = found.services.routing.routing
        assert digest
        await house.con.execute(SPREAD, digest.digest)
        yield found


# As if these calls had come in the last days, with all outcomes.
SPREAD = """
UPDATE call SET routing = $1,
    began = now() - interval '37 minutes' * (extract(epoch FROM began)::bigint % 1000),
    outcome = CASE WHEN connected IS NULL THEN outcome ELSE
        (ARRAY['answered', 'answered', 'busy', 'abandoned', 'closed'])
            [1 + extract(epoch FROM began)::bigint % 5] END
"""


async def log_in(page: Page, street: Street, address: str) -> None:
    """By the mail that really arrives, with the keyboard alone."""
    before = len(street.mail.mails)
    await page.open(f"{street.url}/login")
    await page.type("#address", address)
    await page.leads(page.press("Enter", 13))
    await street.mail.has(before + 1, 60)
    link = re.search(rf"{street.url}/login/\S+", body_of(street.mail.mails[-1].content))
    assert link
    await page.open(link[0])
    await page.run("document.querySelector('button[name=owner]').focus()")
    await page.leads(page.press("Enter", 13))


@pytest.mark.parametrize(("address", "language"), [(OFFICE, "en"), (OVEN, "nl")])
@pytest.mark.parametrize("width", [360, 1280])
async def test_every_page_fits_breaks_no_rule_and_can_be_reached(
    street: Street, tmp_path: Path, width: int, address: str, language: str
) -> None:
    first = 1 if address == OFFICE else 50
    recorded = 40 if address == OFFICE else 80
    async with chromium(binary() or Path(), tmp_path) as page:
        await page.size(width)
        await log_in(page, street, address)
        details = [f"/calls/{call_id(first)}", f"/recordings/{recording_id(recorded)}"]
        details.append(f"/messages/{audio_id(recorded + 1)}")
        for path in (*PAGES, *details, f"{details[1]}/destroy", "/calls"):
            await page.open(f"{street.url}{path}")
            assert await page.run("document.documentElement.lang") == language
            assert await page.run(FITS), (path, await page.run("document.documentElement.scrollWidth"))
            assert await barriers(page) == [], path
            await picture(page, f"{language}-{width}-{path.strip('/').replace('/', '-') or 'overview'}")
        await page.click("nav form button")
        assert await page.run("location.pathname") == "/login"
        assert [it for it in page.messages if "Clear-Site-Data" not in it] == []


@pytest.mark.parametrize(("address", "language"), [(OFFICE, "en"), (OVEN, "nl")])
@pytest.mark.parametrize("width", [360, 1280])
async def test_own_data_are_changed_in_the_browser_by_the_keyboard(
    street: Street, tmp_path: Path, width: int, address: str, language: str
) -> None:
    async with chromium(binary() or Path(), tmp_path) as page:
        await page.size(width)
        await log_in(page, street, address)
        await page.open(f"{street.url}/data")
        await page.run("document.querySelector('#name').value = ''")
        await page.type("#name", "A new name")
        await page.run("document.querySelector('#count').value = ''")
        await page.type("#count", "2")
        await page.leads(page.press("Enter", 13))
        await looked_at(page, f"{language}-{width}-data-question")
        await page.leads(focus_and_press(page, "button[name=sure]"))
        assert await page.run("document.querySelector('#name').value") == "A new name"
        await page.type("#address", "new@acme.example")
        before = len(street.mail.mails)
        await page.leads(page.press("Enter", 13))
        await street.mail.has(before + 1, 60)
        await looked_at(page, f"{language}-{width}-data-pending")
        link = re.search(rf"{street.url}/confirm/\S+", body_of(street.mail.mails[-1].content))
        assert link
        await page.open(link[0])
        await looked_at(page, f"{language}-{width}-confirm")
        await page.leads(focus_and_press(page, "button[name=owner]"))
        await looked_at(page, f"{language}-{width}-confirmed")
        await page.open(f"{street.url}/data")
        await page.run("document.querySelector('#count').value = '0'")
        await page.leads(focus_and_press(page, "form.narrow button"))
        assert await page.run("document.querySelector('.error') !== null")
        await looked_at(page, f"{language}-{width}-data-refused")
        await page.open(f"{street.url}/numbers")
        await page.leads(focus_and_press(page, "button[name=put]"))
        assert await page.run("document.querySelector('button[value=off]') !== null")
        await looked_at(page, f"{language}-{width}-numbers-switched")
        assert [it for it in page.messages if "422" not in it] == []


async def focus_and_press(page: Page, button: str) -> None:
    await page.run(f"document.querySelector('{button}').focus()")
    await page.press("Enter", 13)


async def looked_at(page: Page, name: str) -> None:
    assert await page.run(FITS), (name, await page.run("document.documentElement.scrollWidth"))
    assert await barriers(page) == [], name
    await picture(page, name)


async def barriers(page: Page) -> list[str]:
    """What axe-core finds serious or critical; nothing without AXE."""
    if not (file := os.environ.get("AXE")):
        return []
    await page.run(f"{await asyncio.to_thread(Path(file).read_text)};0")
    found = await page.run(SERIOUS)
    return [str(it) for it in found]


async def picture(page: Page, name: str) -> None:
    if folder := os.environ.get("SCREENSHOTS"):
        await page.shot(Path(folder) / f"{name}.png")


async def test_a_recording_is_heard_in_the_browser(street: Street, tmp_path: Path) -> None:
    async with chromium(binary() or Path(), tmp_path) as page:
        await log_in(page, street, OFFICE)
        await page.open(f"{street.url}/recordings/{recording_id(40)}")
        duration, reached = await page.run(ENDED)
        assert 1.9 < duration < 2.2
        assert reached == pytest.approx(duration, abs=0.2)
        await page.open(f"{street.url}/accesses")
        assert (await page.text()).count("listened") == 1


async def test_a_filter_and_its_download(street: Street, tmp_path: Path) -> None:
    async with chromium(binary() or Path(), tmp_path) as page:
        await log_in(page, street, OFFICE)
        await page.open(f"{street.url}/calls")
        await page.run("document.querySelector('#outcome').value = 'missed'")
        await page.click("main form button")
        assert "busy" in await page.text()
        assert "answered" not in await page.run("document.querySelector('tbody').innerText")
        shown = await page.run("document.querySelectorAll('tbody tr').length")
        await page.run("document.querySelector('a[href*=\"calls.csv\"]').click()")
        file = await arrived(tmp_path)
        assert len(file.read_text().splitlines()) == shown + 1


async def arrived(folder: Path) -> Path:
    """The file that the browser has downloaded."""
    async with asyncio.timeout(60):
        while not (files := downloads(folder)):  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.1)
    return files[0]


def downloads(folder: Path) -> list[Path]:
    return list(folder.glob("calls-*.csv"))
