"""Switches of an owner's numbers in the portal: what is on, what would happen, put on and off."""

import html
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from config.switches import FILE, Switched, latest_of, read_all, write
from engine.switches import Switches
from storage.owned.switches import MOST
from tests.store.conftest import execute
from tests.store.portal import ACME, ACME_NUMBER, BAKERY_NUMBER, OFFICE, OVEN, Browser, Street, street_of

ZONE = ZoneInfo("Europe/Brussels")
MONDAY = "2026-11-30T10:00"  # in opening hours
MANY = """
INSERT INTO owner_switch (owner, number, name, put_by, reason)
SELECT 'acme', '+3270012345', 'strike', '', '' FROM generate_series(1, {many})
"""
MINUTE = "%Y-%m-%dT%H:%M"


@pytest.fixture
async def street(roles: Mapping[str, str], tmp_path: Path) -> AsyncIterator[Street]:
    async with street_of(roles, tmp_path) as found:
        yield found


async def put(browser: Browser, hours: float = 2, **more: str) -> int:
    until = (datetime.now(ZONE) + timedelta(hours=hours)).strftime(MINUTE)
    form = {"number": ACME_NUMBER, "name": "strike", "put": "on", "until": until}
    return (await browser.send("/numbers/switch", **form | more)).status


def engines(street: Street) -> tuple[str, ...]:
    """What the engine sees as on now."""
    switches = Switches(street.state / FILE)
    switches.read()
    return switches.on(ACME_NUMBER, ACME, datetime.now(UTC))


async def page(browser: Browser, at: str = "") -> str:
    return html.unescape((await browser.get(f"/numbers?at={at}")).text)


async def test_an_owner_puts_a_switch_on_and_off_and_the_engine_sees_it(street: Street) -> None:
    browser = await street.logged_in(OFFICE)
    assert await put(browser) == 303
    assert "strike: on until" in (await page(browser)).replace("<strong>", "").replace("</strong>", "")
    assert engines(street) == ()
    await street.spread()
    assert engines(street) == ("strike",)
    assert await put(browser, put="off") == 303
    await street.spread()
    assert engines(street) == ()
    lines = read_all(street.state / FILE)
    assert [(one.target, one.name, one.until is None) for one in lines] == [
        (ACME_NUMBER, "strike", False),
        (ACME_NUMBER, "strike", True),
    ]
    assert {one.by for one in lines} == {f"owner {OFFICE}"}
    assert f"changed: {ACME_NUMBER} strike: -> off" in html.unescape((await browser.get("/accesses")).text)


async def test_what_would_happen_counts_the_switches_that_are_on_at_that_moment(street: Street) -> None:
    browser, now = await street.logged_in(OFFICE), datetime.now(UTC)
    monday = datetime.fromisoformat(MONDAY).replace(tzinfo=ZONE)
    assert "none is on of: strike" in await page(browser, MONDAY)
    for until, is_on in ((monday + timedelta(hours=1), True), (monday - timedelta(hours=1), False)):
        now += timedelta(seconds=1)
        line = Switched(now, ACME_NUMBER, "strike", until, "an operator", "a strike")
        write(street.state / FILE, line)
        assert ("none is on of: strike" in await page(browser, MONDAY)) is not is_on


async def test_a_later_line_of_an_operator_counts_more(street: Street) -> None:
    browser = await street.logged_in(OFFICE)
    await put(browser)
    later = datetime.now(UTC) + timedelta(seconds=1)
    write(street.state / FILE, Switched(later, ACME_NUMBER, "strike", None, "an operator"))
    await street.spread()
    assert engines(street) == ()
    assert len(read_all(street.state / FILE)) == 1
    await street.spread()
    assert latest_of(read_all(street.state / FILE))[ACME_NUMBER, "strike"].by == "an operator"


@pytest.mark.parametrize("hours", [-1.0, 32 * 24.0])
async def test_a_switch_ends_within_a_month(street: Street, hours: float) -> None:
    browser = await street.logged_in(OFFICE)
    assert await put(browser, hours) == 422
    for until in ("", "soon", "2026-13-01T10:00"):
        assert await put(browser, until=until) == 422
    await street.spread()
    assert not (street.state / FILE).exists()


async def test_a_number_of_another_owner_or_an_unknown_switch_is_not_found(street: Street) -> None:
    browser = await street.logged_in(OVEN)
    assert await put(browser) == 404
    assert await put(browser, number=BAKERY_NUMBER, name="flood") == 404
    assert await put(browser, number=BAKERY_NUMBER) == 303
    await street.spread()
    assert engines(street) == ()


async def test_a_switch_is_put_on_some_times_a_day(street: Street, roles: Mapping[str, str]) -> None:
    browser = await street.logged_in(OFFICE)
    await execute(roles["superuser"], MANY.format(many=MOST - 1))
    assert [await put(browser), await put(browser)] == [303, 429]
