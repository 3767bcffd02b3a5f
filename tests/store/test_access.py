"""Whatever gives out audio, or decides about it, adds its line to the access log by itself."""

from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import asyncpg
import pytest

from mailer.overview import NotNow, release, retry
from storage import access, recordings
from storage.access import Access, Actor
from storage.recordings import Hold, Refused
from tests.store.conversations import record_talk, recorded_call, recording_id
from tests.store.keeping import House, house_of
from tests.store.sounds import audio_id, record, voicemail_call

HOLD = Hold("a dispute", "court 12/2026", "A. Peeters", "B. Janssens", date(2999, 1, 1))
PORTAL = Actor("office@acme.example", "portal1")
LINES = "SELECT audio_id, what, operator, host FROM access ORDER BY seq"


@pytest.fixture
async def house(database: str, tmp_path: Path) -> AsyncIterator[House]:
    """It has stored recording 1 and message 2."""
    async with house_of(database, tmp_path) as found:
        record_talk(found.spool.folder, 1, 0.5)
        record(found.spool.folder, 2)
        await found.drain(recorded_call(1, days=36_500), voicemail_call(2))
        await found.seal()
        yield found


async def lines(house: House) -> list[tuple[str, str]]:
    return [(row["audio_id"], row["what"]) for row in await house.con.fetch(LINES)]


async def test_audio_that_is_fetched_for_a_person_is_logged_with_who_and_where(house: House) -> None:
    assert await house.encrypted_store.fetch(house.con, recording_id(1), PORTAL)
    assert await house.encrypted_store.fetch(house.con, audio_id(2))
    me = access.this_process()
    assert [tuple(row) for row in await house.con.fetch(LINES)] == [
        (recording_id(1), "fetch", "office@acme.example", "portal1"),
        (audio_id(2), "fetch", me.operator, me.host),
    ]


async def test_audio_that_cannot_be_logged_is_not_given_out(house: House) -> None:
    await house.con.execute("ALTER TABLE access ADD CHECK (what <> 'fetch')")
    with pytest.raises(asyncpg.CheckViolationError):
        await house.encrypted_store.fetch(house.con, recording_id(1))


async def test_audio_is_not_given_out_in_a_transaction_that_may_take_its_line_back(house: House) -> None:
    async with house.con.transaction():
        with pytest.raises(RuntimeError, match="outside of a transaction"):
            await house.encrypted_store.fetch(house.con, recording_id(1))


async def test_the_outbox_workers_own_fetch_is_not_an_access(house: House) -> None:
    assert await house.encrypted_store.fetch_for_mail(house.con, audio_id(2))
    assert await lines(house) == []


async def test_each_decision_about_a_recording_is_logged(house: House) -> None:
    await recordings.hold(house.con, recording_id(1), HOLD, PORTAL)
    await recordings.release(house.con, recording_id(1), "C. Claes", PORTAL)
    await recordings.destroy(house.con, recording_id(1), actor=PORTAL)
    assert await lines(house) == [(recording_id(1), what) for what in ("hold", "release", "destroy")]
    assert {row["operator"] for row in await house.con.fetch(LINES)} == {PORTAL.operator}


@pytest.mark.parametrize("what", [Access.HOLD, Access.RELEASE, Access.DESTROY])
async def test_a_decision_that_cannot_be_logged_is_not_made(house: House, what: Access) -> None:
    if what is Access.RELEASE:
        await recordings.hold(house.con, recording_id(1), HOLD)
    before = await house.con.fetchrow("SELECT * FROM audio WHERE audio_id = $1", recording_id(1))
    await house.con.execute(f"ALTER TABLE access ADD CHECK (what <> '{what}')")
    with pytest.raises(asyncpg.CheckViolationError):
        await decide(house, what)
    assert await house.con.fetchrow("SELECT * FROM audio WHERE audio_id = $1", recording_id(1)) == before


async def decide(house: House, what: Access) -> None:
    match what:
        case Access.HOLD:
            await recordings.hold(house.con, recording_id(1), HOLD)
        case Access.RELEASE:
            await recordings.release(house.con, recording_id(1), "C. Claes")
        case _:
            await recordings.destroy(house.con, recording_id(1))


async def test_a_decision_that_is_refused_is_not_logged(house: House) -> None:
    with pytest.raises(Refused):
        await recordings.release(house.con, recording_id(1), "C. Claes")
    with pytest.raises(Refused):
        await recordings.destroy(house.con, recording_id(9))
    with pytest.raises(NotNow):
        await release(house.con, audio_id(2))
    assert await lines(house) == []


async def test_each_decision_about_a_message_is_logged_and_listed_with_its_owner(house: House) -> None:
    await retry(house.con, audio_id(2))
    await house.con.execute("UPDATE message SET state = 'undeliverable'")
    await retry(house.con, audio_id(2))
    await house.con.execute("UPDATE message SET state = 'undeliverable'")
    await release(house.con, audio_id(2))
    assert await lines(house) == [(audio_id(2), what) for what in ("retry", "retry", "release")]
    found = [row async for row in access.find(house.con, access.Looked(audio_id(2)))]
    assert {row["owner"] for row in found} == {"acme"}
