"""What is left in the spool: gone when it is stored or nobody's, kept while it may be somebody's."""

import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.store.calls import call_id
from tests.store.keeping import House, house_of
from tests.store.sounds import audio_id, record, voicemail_call

NONE_OPEN: frozenset[str] = frozenset()


@pytest.fixture
async def house(database: str, tmp_path: Path) -> AsyncIterator[House]:
    async with house_of(database, tmp_path) as found:
        yield found


def age(house: House, n: int, hours: float) -> None:
    then = time.time() - hours * 3600
    os.utime(house.spool.folder / f"{audio_id(n)}.wav", (then, then))


async def test_a_file_that_a_crash_has_left_behind_its_object_goes(house: House) -> None:
    raw = record(house.spool.folder, 1)
    await house.drain(voicemail_call(1))
    await house.seal()
    (house.spool.folder / f"{audio_id(1)}.wav").write_bytes(raw)
    await house.sweeper.sweep(house.con, NONE_OPEN)
    assert house.spooled() == []


async def test_a_file_that_is_to_be_sealed_stays(house: House) -> None:
    record(house.spool.folder, 1)
    age(house, 1, 48)
    await house.drain(voicemail_call(1))
    await house.sweeper.sweep(house.con, NONE_OPEN)
    assert house.spooled() == [audio_id(1)]


async def test_a_file_of_no_call_is_destroyed_after_a_day_and_leaves_a_tombstone(house: House) -> None:
    record(house.spool.folder, 1)
    record(house.spool.folder, 2)
    age(house, 1, 25)
    age(house, 2, 23)
    await house.sweeper.sweep(house.con, NONE_OPEN)
    assert await house.destroy() == 1
    assert house.spooled() == [audio_id(2)]
    assert await house.con.fetchval("SELECT reason FROM tombstone") == "orphan"


async def test_while_its_call_is_open_in_the_journal_it_stays(house: House) -> None:
    record(house.spool.folder, 1)
    age(house, 1, 100)
    await house.sweeper.sweep(house.con, frozenset({call_id(1)}))
    assert await house.destroy() == 0


async def test_while_the_journal_is_not_drained_nothing_is_an_orphan(house: House) -> None:
    record(house.spool.folder, 1)
    age(house, 1, 100)
    await house.sweeper.sweep(house.con, None)
    assert await house.destroy() == 0


async def test_of_a_call_that_was_set_aside_it_stays_for_a_person_to_look_at(house: House) -> None:
    record(house.spool.folder, 1)
    age(house, 1, 100)
    aside = "INSERT INTO dead_letter (call_id, rev, node, why, entries) VALUES ($1, 1, 'here', '', '[]')"
    await house.con.execute(aside, call_id(1))
    await house.sweeper.sweep(house.con, NONE_OPEN)
    assert await house.destroy() == 0


async def test_what_is_not_named_by_us_is_not_ours(house: House) -> None:
    for name in ("beep.wav", "../x.wav", f"{call_id(1)}.wav", f"{audio_id(1)}.txt"):
        (house.spool.folder / Path(name).name).write_bytes(b"somebody's")
    before = house.spooled()
    for file in house.spool.folder.iterdir():
        os.utime(file, (0, 0))
    await house.sweeper.sweep(house.con, NONE_OPEN)
    await house.destroy()
    assert house.spooled() == before


@pytest.mark.parametrize("name", ["../x", "beep", f"{call_id(1)}-vm1/../../x", f"{call_id(1)}-vm1\n"])
async def test_no_name_leads_out_of_the_spool(house: House, name: str) -> None:
    with pytest.raises(ValueError, match="not a valid audio id"):
        house.spool.read(name)
