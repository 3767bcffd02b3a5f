"""Calls to SIP addresses once they are over: in pages, exports, and after the owner's period."""

import csv
import io
import json
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from journal.entries import Entry, LegStarted
from storage.anonymising import anonymise_next
from storage.calls import find
from storage.export import as_cells
from tests.store.calls import answered_call, call_id, changed
from tests.store.chromium import binary, chromium
from tests.store.portal import OFFICE, Street, street_of
from tests.store.test_portal_browser import FITS, log_in

# The longest that a destination may be, and one with the digits of a number.
LONGEST = f"sip:{'reception-' * 4}@{'a' * 60}.{'b' * 31}.example"
DIGITS = "sip:+3221112233@pbx.acme.example"


def called(n: int, first: str, second: str) -> list[Entry]:
    to = {"+3221112233": first, "+3221112244": second}
    return [
        changed(entry, to=to[entry.to]) if isinstance(entry, LegStarted) else entry
        for entry in answered_call(n)
    ]


@pytest.fixture
async def street(roles: Mapping[str, str], tmp_path: Path) -> AsyncIterator[Street]:
    async with street_of(roles, tmp_path) as found:
        await found.house.drain(called(1, DIGITS, LONGEST), called(2, "+3221112233", DIGITS))
        yield found


async def test_owners_see_the_address_as_it_is_in_pages_and_downloads(street: Street) -> None:
    browser = await street.logged_in(OFFICE)
    page = (await browser.get("/calls")).text
    assert LONGEST in page
    assert f">{DIGITS}</td>" in page  # and not the number that is in it
    assert LONGEST in (await browser.get(f"/calls/{call_id(1)}")).text
    downloads = {form: (await browser.get(f"/calls/calls.{form}")).text for form in ("csv", "json")}
    rows = list(csv.DictReader(io.StringIO(downloads["csv"].removeprefix("\ufeff"))))
    assert {row["delivered_to"] for row in rows} == {LONGEST, DIGITS}
    assert {record["delivered_to"] for record in json.loads(downloads["json"])} == {LONGEST, DIGITS}


async def test_an_address_cannot_be_read_as_a_formula_and_loses_its_user_after_the_period(
    street: Street,
) -> None:
    con = street.house.con
    records = [record async for record in find(con, None)]
    assert all(LONGEST in as_cells(record) or DIGITS in as_cells(record) for record in records)
    await con.execute("UPDATE call SET began = began - interval '8 days' - (now() - began)")
    assert await anonymise_next(con, "acme", timedelta(days=7)) == 2
    domains = {f"sip:{it.partition('@')[2]}" for it in (LONGEST, DIGITS)}
    rows = await con.fetch("SELECT delivered_to FROM call")
    assert {row["delivered_to"] for row in rows} == domains
    legs = await con.fetch("SELECT destination FROM leg")
    assert {leg["destination"] for leg in legs} == {*domains, "+322"}


@pytest.mark.heavy
@pytest.mark.skipif(binary() is None, reason="scripts/fetch-chromium.sh fetches the browser")
@pytest.mark.parametrize("width", [360, 1280])
async def test_the_longest_address_fits_into_every_page(street: Street, tmp_path: Path, width: int) -> None:
    async with chromium(binary() or Path(), tmp_path) as page:
        await page.size(width)
        await log_in(page, street, OFFICE)
        for path in ("/", "/calls", f"/calls/{call_id(1)}"):
            await page.open(f"{street.url}{path}")
            assert await page.run(FITS), path
            assert path == "/" or LONGEST in await page.run("document.body.innerText.replaceAll('\\n', '')")
