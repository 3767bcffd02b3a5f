"""A recording in parts, as Asterisk's recorder leaves it in the spool: sealed whole, none left lying."""

import os
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from storage.sealing import SealResult
from tests.store.calls import call_id
from tests.store.conversations import (
    CALLER,
    DESTINATION,
    began,
    heard,
    level_at,
    record_part,
    record_talk,
    recorded_call,
    recording_id,
)
from tests.store.keeping import House, house_of
from tests.store.sounds import RATE

FOREVER = 36_500.0
MEASURED = "SELECT short_by::float8, one_way, silent FROM recording"


@pytest.fixture
async def house(database: str, tmp_path: Path) -> AsyncIterator[House]:
    async with house_of(database, tmp_path) as found:
        yield found


def spool_talk(house: House, *, lost: float = 0) -> None:
    """0.5 s of talk, a pause of 0.5 s, 1 s of talk; of the first part, so many seconds were lost."""
    folder, start = house.spool.folder, began(1)
    record_part(folder, 1, start, 0.5 - lost)
    record_part(folder, 1, start + timedelta(seconds=0.5), 0, after=120)
    record_part(folder, 1, start + timedelta(seconds=1), 1.0)


async def sealed(house: House, lasted: float = 2.0) -> bytes:
    """What the owner hears of call 1, once it is sealed."""
    await house.drain(recorded_call(1, lasted=lasted, days=FOREVER))
    assert await house.seal() == [SealResult.STORED]
    assert house.spooled() == []
    return await house.encrypted_store.fetch(house.con, recording_id(1))


async def test_the_caller_is_left_the_destination_right_and_the_pause_is_silent(house: House) -> None:
    spool_talk(house)
    left, right = heard(await sealed(house)).T
    assert len(left) == 2 * RATE
    assert level_at(left[RATE:], CALLER) > -12
    assert level_at(right[RATE:], DESTINATION) > -12
    assert max(level_at(left[RATE:], DESTINATION), level_at(right[RATE:], CALLER)) < -60
    assert not np.any(left[RATE // 2 : RATE])
    assert not np.any(right[RATE // 2 : RATE])
    assert tuple(await house.con.fetchrow(MEASURED) or ()) == (0, None, False)


async def test_what_was_lost_in_a_part_is_short_and_moves_no_later_part(house: House) -> None:
    spool_talk(house, lost=0.25)
    left, _ = heard(await sealed(house)).T
    assert len(left) == 2 * RATE
    assert np.flatnonzero(left)[-1] > 1.99 * RATE
    assert not np.any(left[RATE // 4 : RATE])
    assert await house.con.fetchval(MEASURED) == 0.25


async def test_what_the_marks_tell_is_put_right_and_short(house: House) -> None:
    file = record_part(house.spool.folder, 1, began(1), 1.5)
    at = round(began(1).timestamp() * 1000)
    file.with_suffix(".marks").write_text(f"{at + 500} 16000\n{at + 1500} 32000\n")
    left, _ = heard(await sealed(house)).T
    assert not np.any(left[RATE // 2 : RATE])
    assert level_at(left[RATE:], CALLER) > -12
    assert await house.con.fetchval(MEASURED) == 0.5


async def test_marks_alone_are_swept_too(house: House) -> None:
    spool_talk(house)
    await sealed(house)
    (house.spool.folder / f"{recording_id(1)}-1764280000123.marks").write_text("")
    await house.sweeper.sweep(house.con, frozenset())
    assert house.spooled() == []


async def test_what_is_missing_at_the_end_is_short(house: House) -> None:
    spool_talk(house)
    await sealed(house, lasted=3.5)
    assert await house.con.fetchval(MEASURED) == 1.5


async def test_a_call_that_ended_in_a_pause_lasts_to_its_end(house: House) -> None:
    record_part(house.spool.folder, 1, began(1), 0.5)
    record_part(house.spool.folder, 1, began(1) + timedelta(seconds=0.5), 0, after=120)
    assert len(heard(await sealed(house))) == 2 * RATE
    assert await house.con.fetchval(MEASURED) == 0


async def test_what_a_crash_has_cut_in_the_middle_of_a_sample_is_sealed(house: House) -> None:
    file = record_part(house.spool.folder, 1, began(1), 2.0)
    file.write_bytes(file.read_bytes()[:-32_767])
    assert len(heard(await sealed(house))) == 2 * RATE - 8192
    assert await house.con.fetchval(MEASURED) == pytest.approx(1.024, abs=0.001)


async def test_parts_in_which_nobody_was_put_through_are_no_recording(house: House) -> None:
    record_part(house.spool.folder, 1, began(1), 0)
    await house.drain(recorded_call(1, days=FOREVER))
    assert await house.seal() == [SealResult.ABSENT]
    await house.destroy()
    assert (house.spooled(), await house.names()) == ([], [])


async def test_while_nobody_saw_its_end_it_waits_until_every_part_is_still(house: House) -> None:
    spool_talk(house)
    await house.drain(recorded_call(1, end=False, days=FOREVER))
    await house.con.execute("UPDATE audio SET ended = NULL")
    files = sorted(house.spool.folder.iterdir())
    for file in files[:-1]:
        os.utime(file, (0, 0))
    assert await house.seal() == [SealResult.DEFERRED]
    os.utime(files[-1], (0, 0))
    await house.retry()
    assert await house.seal() == [SealResult.STORED]


async def test_parts_beside_their_object_are_swept(house: House) -> None:
    spool_talk(house)
    await sealed(house)
    spool_talk(house)
    await house.sweeper.sweep(house.con, frozenset())
    assert house.spooled() == []


async def test_parts_of_no_call_are_destroyed_after_a_day(house: House) -> None:
    spool_talk(house)
    then = time.time() - 25 * 3600
    for file in house.spool.folder.iterdir():
        os.utime(file, (then, then))
    await house.sweeper.sweep(house.con, frozenset({call_id(1)}))
    assert await house.destroy() == 0
    await house.sweeper.sweep(house.con, frozenset())
    assert await house.destroy() == 1
    assert house.spooled() == []


async def test_at_its_deadline_every_part_goes_even_if_it_was_never_stored(house: House) -> None:
    spool_talk(house)
    await house.drain(recorded_call(1, days=FOREVER))
    await house.con.execute("UPDATE audio SET destroy_after = now(), next_at = now()")
    assert await house.destroy() == 1
    assert house.spooled() == []
    assert await house.state(recording_id(1)) == "destroyed"


async def test_what_a_version_before_left_is_sealed_as_it_was(house: House) -> None:
    record_talk(house.spool.folder, 1)
    assert len(heard(await sealed(house))) == 2 * RATE


@pytest.mark.parametrize(
    "name",
    ["{}.raw", "{}-1.raw", "{}-1764280000123-x.raw", "{}-1764280000123.wav", "{}-1764280000123.raw.raw"],
)
async def test_what_is_not_named_as_a_part_is_not_ours(house: House, name: str) -> None:
    file = house.spool.folder / name.format(recording_id(1))
    file.write_bytes(b"somebody's")
    assert house.spool.sounds() == []
    house.spool.remove(recording_id(1))
    assert file.exists()
