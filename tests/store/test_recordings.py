"""Recordings after their call: sealed as a conversation, kept as long as agreed, held, destroyed."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from journal.entries import CallEnded, Entry
from storage import recordings
from storage.recordings import Asked, find
from storage.sealing import SealResult
from tests.store.calls import NOON, answered_call, changed
from tests.store.conversations import (
    CALLER,
    DESTINATION,
    heard,
    level_at,
    record_sides,
    record_talk,
    recorded_call,
    recording_id,
    tone,
)
from tests.store.keeping import House, house_of
from tests.store.stored_recordings import CALL_ENDED, DAY, FOREVER, WHY, age, row, store
from tests.store.test_recordings_held import deadline, see


@pytest.fixture
async def house(database: str, tmp_path: Path) -> AsyncIterator[House]:
    async with house_of(database, tmp_path) as found:
        yield found


async def test_it_is_stored_as_one_stereo_file_and_no_longer_in_the_spool(house: House) -> None:
    await store(house, 1, form="flac")
    assert (house.spooled(), await house.names()) == ([], [f"recording/{recording_id(1)}"])
    data = await house.encrypted_store.fetch(house.con, recording_id(1))
    assert data[:4] == b"fLaC"
    left, right = heard(data).T
    assert level_at(left, CALLER) - level_at(left, DESTINATION) > 60
    assert level_at(right, DESTINATION) - level_at(right, CALLER) > 60
    told = await row(house, 1)
    assert (told["state"], told["number"], told["owner"]) == ("stored", "+3270012345", "acme")
    assert (float(told["seconds"]), float(told["short_by"])) == (2, 0)
    assert (told["one_way"], told["silent"], told["clipping"]) == (None, False, False)


async def test_the_call_record_names_it(house: House) -> None:
    await store(house, 1)
    assert await house.con.fetchval("SELECT recording_id FROM call") == recording_id(1)


async def test_it_is_kept_from_the_end_of_its_call_for_as_long_as_the_owner_said(house: House) -> None:
    await store(house, 1, days=36_500)
    until = await house.con.fetchval("SELECT destroy_after FROM audio")
    assert until == NOON + timedelta(seconds=1 + CALL_ENDED, days=36_500)


async def test_its_evidence_is_kept_and_outlives_it(house: House) -> None:
    await store(house, 1)
    await recordings.destroy(house.con, recording_id(1))
    await house.destroy()
    evidence = json.loads((await row(house, 1))["evidence"])
    assert evidence["notice"]["announcement"] == "recording-announcement"
    assert [change["what"] for change in evidence["changes"]] == ["pause", "resume", "end"]


async def test_there_is_no_recording_without_a_deadline(house: House) -> None:
    await store(house, 1)
    with pytest.raises(asyncpg.CheckViolationError):
        await house.con.execute("UPDATE audio SET destroy_after = NULL")


async def test_drained_ten_times_it_is_one_and_once_destroyed_it_stays_so(house: House) -> None:
    await store(house, 1)
    for _ in range(10):
        await house.drain(recorded_call(1))
    assert await house.seal() == []
    await recordings.destroy(house.con, recording_id(1))
    await house.destroy()
    await house.drain(recorded_call(1))
    assert await house.state(recording_id(1)) == "destroyed"


def ended(n: int, later: float, **more: Any) -> list[Entry]:
    """Recorded call `n` as another record tells it: it ended so many seconds later."""
    *before, last = recorded_call(n, days=FOREVER, **more)
    assert isinstance(last, CallEnded)
    return [*before, changed(last, at=last.at + timedelta(seconds=later))]


@pytest.mark.parametrize("seconds", [100, -30])
@pytest.mark.parametrize("sealed", [True, False])
async def test_a_record_written_anew_with_another_end_puts_its_deadline_right(
    house: House, seconds: float, sealed: bool
) -> None:
    record_talk(house.spool.folder, 1)
    await house.drain(recorded_call(1, days=FOREVER))
    if sealed:
        assert await house.seal() == [SealResult.STORED]
    await house.drain(ended(1, seconds, end=False), rev=2)
    until = await house.con.fetchval("SELECT destroy_after FROM audio")
    assert until == NOON + timedelta(seconds=1 + CALL_ENDED + seconds, days=FOREVER)
    assert await deadline(house, 1) == DAY * FOREVER
    evidence = json.loads((await row(house, 1))["evidence"])
    assert [change["what"] for change in evidence["changes"]] == ["pause", "resume"]


async def test_a_record_of_before_puts_nothing_right(house: House) -> None:
    await house.drain(recorded_call(1, days=FOREVER), rev=2)
    await house.drain(ended(1, 100), rev=1)
    until = await house.con.fetchval("SELECT destroy_after FROM audio")
    assert until == NOON + timedelta(seconds=1 + CALL_ENDED, days=FOREVER)


async def test_what_somebody_has_shortened_no_record_lengthens(house: House) -> None:
    await store(house, 1, 2, 3)
    await recordings.destroy(house.con, recording_id(1))
    await house.con.execute("UPDATE audio SET destroy_after = now() WHERE audio_id = $1", recording_id(2))
    await house.destroy()
    before = await house.con.fetch("SELECT audio_id, destroy_after, state FROM audio ORDER BY audio_id")
    await see(house, FOREVER)
    assert await see(house, 20_000) == [recording_id(3)]
    await house.drain(ended(1, 100), ended(2, 100), ended(3, 100), rev=4)
    after = await house.con.fetch("SELECT audio_id, destroy_after, state FROM audio ORDER BY audio_id")
    assert after[:2] == before[:2]
    assert after[2]["destroy_after"] == before[2]["destroy_after"] - DAY * (FOREVER - 20_000)


async def test_what_is_doomed_goes_at_its_time_whatever_a_later_record_says(house: House) -> None:
    await store(house, 1)
    await recordings.destroy(house.con, recording_id(1))
    await house.drain(ended(1, 100), rev=2)
    assert await house.destroy() == 1
    assert await house.con.fetchval("SELECT reason FROM tombstone") == "operator"


async def test_a_record_written_anew_leaves_a_hold_alone(house: House) -> None:
    await store(house, 1)
    await recordings.hold(house.con, recording_id(1), WHY)
    await house.drain(ended(1, -60), rev=2)
    await age(house, 1, days=36_600)
    assert await house.destroy() == 0
    assert (await row(house, 1))["hold"] == WHY.reference


async def test_what_asterisk_took_with_it_is_counted_to_the_end_of_the_call(house: House) -> None:
    """That the recording has ended was noticed a minute after that: it is not short by that minute."""
    record_talk(house.spool.folder, 1)
    await house.drain(recorded_call(1, lasted=120.5, days=FOREVER))
    assert await house.seal() == [SealResult.STORED]
    assert float((await row(house, 1))["short_by"]) == pytest.approx(58.5)


@pytest.mark.parametrize(
    ("caller", "destination", "lasted", "flags"),
    [
        (2.0, 2.0, 5.0, (3.0, None, False)),
        (2.0, None, 2.0, (0.0, "caller", False)),
        (None, 2.0, 2.0, (0.0, "destination", False)),
        (1.0, 2.0, 2.0, (0.0, None, False)),
    ],
)
async def test_what_is_wrong_with_it_is_on_its_record(
    house: House, caller: float | None, destination: float | None, lasted: float, flags: tuple[Any, ...]
) -> None:
    sides = [None if it is None else tone(CALLER, it) for it in (caller, destination)]
    record_sides(house.spool.folder, 1, *sides)
    await house.drain(recorded_call(1, lasted=lasted, days=FOREVER))
    assert await house.seal() == [SealResult.STORED]
    told = await row(house, 1)
    assert (float(told["short_by"]), told["one_way"], told["silent"]) == flags


async def test_a_recording_without_a_sample_does_not_exist(house: House) -> None:
    record_sides(house.spool.folder, 1, b"", b"")
    await house.drain(recorded_call(1, days=FOREVER))
    assert await house.seal() == [SealResult.ABSENT]
    await house.destroy()
    told = await row(house, 1)
    assert (told["state"], told["why"]) == ("destroyed", "empty")
    assert (house.spooled(), await house.names()) == ([], [])


async def test_what_was_announced_and_not_recorded_is_no_recording(house: House) -> None:
    await house.drain(answered_call(1))
    assert [it async for it in find(house.con, Asked(gone=True))] == []


async def test_files_that_are_not_there_yet_are_waited_for(house: House) -> None:
    await house.drain(recorded_call(1, days=FOREVER))
    assert await house.seal() == [SealResult.DEFERRED]
    record_talk(house.spool.folder, 1)
    await house.retry()
    assert await house.seal() == [SealResult.STORED]
