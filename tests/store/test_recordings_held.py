"""Recordings that are kept longer by a legal hold, or shorter by a shortened retention."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from storage import recordings, retentions
from storage.audit import Auditor
from storage.recordings import Refused
from storage.retentions import Retention
from tests.store.conversations import recording_id
from tests.store.keeping import House, house_of
from tests.store.stored_recordings import DAY, FOREVER, WHY, age, row, store


@pytest.fixture
async def house(database: str, tmp_path: Path) -> AsyncIterator[House]:
    async with house_of(database, tmp_path) as found:
        yield found


async def test_a_hold_beats_the_deadline_and_its_end_does_not_delay(house: House) -> None:
    await store(house, 1)
    await recordings.hold(house.con, recording_id(1), WHY)
    await age(house, 1, days=36_600)
    assert await house.destroy() == 0
    assert len(await house.encrypted_store.fetch(house.con, recording_id(1))) > 0
    told = await row(house, 1)
    assert (told["hold"], told["review_on"]) == (WHY.reference, WHY.review_on)
    await recordings.release(house.con, recording_id(1), "C. Claes")
    assert await house.destroy() == 1
    held = await house.con.fetchrow("SELECT * FROM legal_hold")
    assert held is not None
    assert (held["by_one"], held["by_other"], held["released_by"]) == (WHY.by_one, WHY.by_other, "C. Claes")


async def test_a_recording_released_and_held_anew_is_listed_once(house: House) -> None:
    await store(house, 1)
    for _ in range(2):
        await recordings.hold(house.con, recording_id(1), WHY)
        await recordings.release(house.con, recording_id(1), "C. Claes")
    assert (await row(house, 1))["hold"] is None
    await recordings.hold(house.con, recording_id(1), WHY)
    assert (await row(house, 1))["hold"] == WHY.reference


async def test_what_cannot_be_done_is_refused_with_the_reason(house: House) -> None:
    await store(house, 1)
    held = recording_id(1)
    with pytest.raises(Refused, match="under no legal hold"):
        await recordings.release(house.con, held, "C. Claes")
    await recordings.hold(house.con, held, WHY)
    with pytest.raises(Refused, match="under a legal hold, court 12/2026"):
        await recordings.destroy(house.con, held)
    with pytest.raises(Refused, match="under a legal hold"):
        await recordings.hold(house.con, held, WHY)
    await recordings.release(house.con, held, "C. Claes")
    await recordings.destroy(house.con, held)
    await house.destroy()
    with pytest.raises(Refused, match="is destroyed"):
        await recordings.hold(house.con, held, WHY)
    with pytest.raises(Refused, match="there is no recording"):
        await recordings.destroy(house.con, recording_id(7))


async def test_a_hold_whose_review_is_due_is_a_finding(house: House) -> None:
    await store(house, 1)
    await recordings.hold(house.con, recording_id(1), WHY)
    auditor = Auditor(house.store, house.spool)
    assert [it async for it in auditor.findings(house.con)] == []
    await house.con.execute("UPDATE legal_hold SET review_on = now() - interval '1 day'")
    (finding,) = [it async for it in auditor.findings(house.con)]
    assert finding.kind == "held"


async def deadline(house: House, n: int) -> timedelta:
    """From its call's end."""
    query = "SELECT destroy_after - recording.ended FROM audio JOIN recording USING (audio_id)"
    found: timedelta = await house.con.fetchval(f"{query} WHERE audio_id = $1", recording_id(n))
    return found


async def see(house: House, days: float, node: str = "here") -> list[str]:
    await retentions.store(house.con, node, {"acme": Retention(DAY * days), "other": Retention(DAY)})
    return await retentions.shorten(house.con, node)


async def test_a_retention_that_is_shortened_counts_at_once_for_what_exists(house: House) -> None:
    await store(house, 1, days=FOREVER)
    await store(house, 2, days=FOREVER, owner="third")
    assert await see(house, FOREVER) == []
    assert await see(house, 20_000) == [recording_id(1)]
    assert (await deadline(house, 1), await deadline(house, 2)) == (DAY * 20_000, DAY * FOREVER)
    assert await see(house, 0.5) == [recording_id(1)]
    await age(house, 1, days=FOREVER)
    assert await house.destroy() == 1


async def test_a_retention_that_is_lengthened_counts_only_for_what_comes(house: House) -> None:
    await store(house, 1, days=20_000)
    await see(house, 20_000)
    assert await see(house, 30_000) == []
    assert await deadline(house, 1) == DAY * 20_000


async def test_a_call_that_was_live_when_it_was_shortened_is_no_exception(house: House) -> None:
    await see(house, FOREVER)
    await see(house, 20_000)
    await store(house, 1, days=FOREVER)
    assert await see(house, 20_000) == [recording_id(1)]


async def test_a_node_with_an_old_copy_of_the_owners_shortens_nothing(house: House) -> None:
    """It has always seen 20,000 days; what another node has lengthened meanwhile is not its business."""
    await see(house, 20_000, node="old")
    await see(house, 20_000)
    await see(house, 30_000)
    await store(house, 1, days=30_000)
    assert await see(house, 20_000, node="old") == []
    assert await deadline(house, 1) == DAY * 30_000


async def test_a_hold_is_not_touched_by_a_shorter_retention(house: House) -> None:
    await store(house, 1)
    await recordings.hold(house.con, recording_id(1), WHY)
    await see(house, FOREVER)
    await see(house, 0.01)
    await age(house, 1, days=36_600)
    assert await house.destroy() == 0
