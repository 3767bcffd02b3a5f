"""An owner and a message that nobody takes: its page, another try, another address, its sound."""

import html
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from mailer.overview import MOST_BY_OWNER
from storage import message_states
from tests.store.conftest import execute
from tests.store.portal import OFFICE, OVEN, Browser, Street, street_of
from tests.store.sounds import audio_id, record, voicemail_call

MESSAGE = f"/messages/{audio_id(4)}"
DESK = "desk@acme.example"
# What settling leaves when every server has refused it.
REFUSED = "UPDATE outbox SET attempts = 2, refused_at = now(), first_at = now() - interval '5 days'"
CONFIRMED = """
INSERT INTO owner_change (owner, setting, value, changed_by)
VALUES ('acme', 'mail', '["office@acme.example", "desk@acme.example"]', 'office@acme.example')
"""
OPEN = "SELECT recipient FROM outbox WHERE refused_at IS NULL AND accepted_at IS NULL AND next_at <= now()"


@pytest.fixture
async def street(roles: Mapping[str, str], tmp_path: Path) -> AsyncIterator[Street]:
    """A message that nobody takes, of an owner who has a second address."""
    async with street_of(roles, tmp_path) as found:
        record(found.house.spool.folder, 4)
        await found.house.drain(voicemail_call(4))
        await found.house.seal()
        con = found.house.con
        await con.execute(REFUSED)
        assert await message_states.undeliverable(con, audio_id(4), bounced=False)
        await con.execute("UPDATE audio SET destroy_after = now() + interval '30 days', reason = 'deadline'")
        await execute(roles["superuser"], CONFIRMED)
        await found.spread()
        yield found


async def due(street: Street) -> list[str]:
    return [row["recipient"] for row in await street.house.con.fetch(OPEN)]


async def state(street: Street) -> tuple[str, bool]:
    """The message's state, and whether its sound has a deadline."""
    row = await street.house.con.fetchrow(
        "SELECT message.state, destroy_after FROM message JOIN audio ON audio_id = message_id"
    )
    assert row
    return row["state"], row["destroy_after"] is not None


async def send(browser: Browser, **fields: str) -> int:
    return (await browser.send(f"{MESSAGE}/send", **fields)).status


async def test_another_try_begins_anew_and_is_in_the_access_log(street: Street) -> None:
    browser = await street.logged_in(OFFICE)
    before = await street.house.con.fetch("SELECT recipient FROM outbox")
    assert "Send it again" in (await browser.get(MESSAGE)).text
    assert await send(browser) == 303
    assert await state(street) == ("waiting", False)
    assert await due(street) == [row["recipient"] for row in before]
    assert "sent again" in (await browser.get(MESSAGE)).text


async def test_another_address_gets_it_and_those_that_refused_do_not(street: Street) -> None:
    browser = await street.logged_in(OFFICE)
    assert f"<option>{DESK}</option>" in (await browser.get(MESSAGE)).text
    assert await send(browser, to=DESK) == 303
    assert await due(street) == [DESK]
    assert await state(street) == ("waiting", False)
    page = html.unescape((await browser.get(MESSAGE)).text)
    assert f"sent again {DESK}" in page
    assert f"<option>{DESK}</option>" not in page
    assert await send(browser, to=DESK) == 409  # it is on its way there


@pytest.mark.parametrize("to", ["stranger@evil.example", OVEN, "x", "desk@acme.example\nBcc: x@y.example"])
async def test_only_a_confirmed_address_of_the_owner_gets_it(street: Street, to: str) -> None:
    browser = await street.logged_in(OFFICE)
    assert await send(browser, to=to) == 400
    assert await due(street) == []


async def test_an_owner_tries_again_some_times_a_day_and_no_more(street: Street) -> None:
    browser = await street.logged_in(OFFICE)
    assert [await send(browser) for _ in range(MOST_BY_OWNER + 1)] == [303] * MOST_BY_OWNER + [409]
    await street.house.con.execute("UPDATE message SET state = 'destroyed'")
    assert await send(browser) == 409


async def test_its_sound_is_played_in_parts_and_that_is_logged(street: Street) -> None:
    browser = await street.logged_in(OFFICE)
    assert "<audio" in (await browser.get(MESSAGE)).text
    whole = await browser.get(f"{MESSAGE}/sound")
    assert (whole.status, whole.headers["Content-Type"], whole.data[:4]) == (200, "audio/wav", b"RIFF")
    part = await browser.get(f"{MESSAGE}/sound", Range="bytes=100-199")
    assert (part.status, part.data) == (206, whole.data[100:200])
    heard = await street.house.con.fetch("SELECT audio_id, actor, operator FROM access WHERE what = 'listen'")
    assert [tuple(row) for row in heard] == [(audio_id(4), "owner", OFFICE)]


async def test_a_message_that_is_gone_is_not_played(street: Street) -> None:
    browser = await street.logged_in(OFFICE)
    await street.house.con.execute("UPDATE audio SET state = 'destroyed'")
    assert (await browser.get(f"{MESSAGE}/sound")).status == 404
    assert "<audio" not in (await browser.get(MESSAGE)).text


async def test_another_owner_neither_sees_hears_nor_sends_it(street: Street) -> None:
    browser = await street.logged_in(OVEN)
    for path in (MESSAGE, f"{MESSAGE}/sound"):
        assert (await browser.get(path)).status == 404
    assert await send(browser) == 404
    assert await due(street) == []
