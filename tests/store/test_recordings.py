"""Recordings after their call: sealed as a conversation, kept as long as agreed, held, destroyed."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from journal.entries import CallEnded, Entry
from storage import recordings, retentions
from storage.audit import Auditor
from storage.destruction import Destroyer
from storage.encrypted_store import AudioDestroyed
from storage.lease import Audio, claim
from storage.recordings import Asked, Hold, Refused, find
from storage.sealing import TO_SEAL, SealResult
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
from tests.store.test_sealing import Broken

WHY = Hold("a dispute about a bill", "court 12/2026", "A. Peeters", "B. Janssens", date(2027, 3, 31))
CALL_ENDED = 66.623  # s after its beginning: tests.store.calls
KEYS = "SELECT count(*) FROM keys.audio_key"
DAY = timedelta(days=1)
FOREVER = 36_500.0  # days: NOON is long ago for whoever runs this later


@pytest.fixture
async def house(database: str, tmp_path: Path) -> AsyncIterator[House]:
    async with house_of(database, tmp_path) as found:
        yield found


async def store(house: House, *numbers: int, days: float = FOREVER, **more: Any) -> None:
    """Have these recorded calls sealed."""
    for n in numbers:
        record_talk(house.spool.folder, n)
    await house.drain(*(recorded_call(n, days=days, **more) for n in numbers))
    assert set(await house.seal()) == {SealResult.STORED}
    # Whenever this is run: their calls are over.
    await house.con.execute("UPDATE audio SET began = now() - interval '1 hour'")


async def age(house: House, n: int, **later: float) -> None:
    """Let its deadline be as if so much time had gone by."""
    gone_by = "UPDATE audio SET destroy_after = destroy_after - $2::interval WHERE audio_id = $1"
    await house.con.execute(gone_by, recording_id(n), timedelta(**later))


async def row(house: House, n: int) -> asyncpg.Record:
    (found,) = [it async for it in find(house.con, Asked(gone=True)) if it["recording_id"] == recording_id(n)]
    return found


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


async def test_at_its_deadline_nothing_is_left_but_tombstone_and_evidence(house: House) -> None:
    await store(house, 1, 2)
    await age(house, 1, days=36_600)
    assert await house.destroy() == 1
    tombstone = await house.con.fetchrow("SELECT * FROM tombstone")
    assert tombstone is not None
    assert (tombstone["audio_id"], tombstone["kind"], tombstone["reason"]) == (
        recording_id(1),
        "recording",
        "deadline",
    )
    assert await house.names() == [f"recording/{recording_id(2)}"]
    with pytest.raises(AudioDestroyed):
        await house.encrypted_store.fetch(house.con, recording_id(1))


async def test_past_its_deadline_it_is_destroyed_even_if_it_could_never_be_stored(
    database: str, tmp_path: Path
) -> None:
    store = Broken(tmp_path / "objects")
    store.fails = {"put", "get"}
    async with house_of(database, tmp_path, objects=store) as house:
        record_talk(house.spool.folder, 1)
        await house.drain(recorded_call(1, days=FOREVER))
        assert await house.seal() == [SealResult.DEFERRED]
        await age(house, 1, days=36_600)
        await house.retry()
        assert await house.destroy() == 1
        assert (house.spooled(), await house.con.fetchval(KEYS)) == ([], 0)
        assert await house.state(recording_id(1)) == "destroyed"


async def test_with_the_store_away_even_a_plain_file_goes_at_its_deadline(
    database: str, tmp_path: Path
) -> None:
    objects = Broken(tmp_path / "objects")
    objects.fails = {"put", "get", "delete"}
    async with house_of(database, tmp_path, objects=objects) as house:
        record_talk(house.spool.folder, 1)
        await house.drain(recorded_call(1, days=FOREVER))
        await house.seal()
        await age(house, 1, days=36_600)
        await house.retry()
        assert await house.destroy() == 1
        assert house.spooled() == []
        assert await house.state(recording_id(1)) == "shredded"
        objects.fails = set()
        await house.retry()
        await house.destroy()
        assert await house.state(recording_id(1)) == "destroyed"


async def test_who_tries_to_seal_it_does_not_keep_it_beyond_its_deadline(house: House) -> None:
    """Where the store hangs, an attempt takes a minute, and the pause after it may be another one."""
    record_talk(house.spool.folder, 1)
    await house.drain(recorded_call(1, days=FOREVER))
    await house.con.execute("UPDATE audio SET attempts = 6, next_at = now()")
    assert await claim(house.con, TO_SEAL, "here") is not None
    await age(house, 1, days=36_600)
    assert await house.destroyer.shred_next(house.con)
    assert house.spooled() == []
    assert await house.destroy() == 1
    assert await house.state(recording_id(1)) == "destroyed"


async def test_what_is_stored_in_the_moment_its_time_is_over_is_destroyed_whole(
    house: House, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Claimed as a plain file, it has become an object by the time it is destroyed."""
    record_talk(house.spool.folder, 1)
    await house.drain(recorded_call(1, days=FOREVER))
    await age(house, 1, days=36_600)
    shred = Destroyer._shred

    async def stored_first(self: Destroyer, con: asyncpg.Connection, audio: Audio) -> bool:
        await house.con.execute("UPDATE audio SET next_at = now(), lease_until = NULL")
        assert await house.seal() == [SealResult.STORED]
        return await shred(self, con, audio)

    monkeypatch.setattr(Destroyer, "_shred", stored_first)
    async with house_of(database, house.folder, key_wrapper=house.key_wrapper) as other:
        assert await other.destroy() == 1
    assert (await house.names(), await house.con.fetchval(KEYS)) == ([], 0)
    tombstone = await house.con.fetchrow("SELECT method, cipher_sha256 IS NULL AS plain FROM tombstone")
    assert tombstone is not None
    assert tuple(tombstone) == ("key+object", False)


async def test_no_key_is_made_for_what_is_just_being_destroyed(house: House, database: str) -> None:
    record_talk(house.spool.folder, 1)
    await house.drain(recorded_call(1, days=FOREVER))
    con = await asyncpg.connect(database)
    destroying = con.transaction()
    await destroying.start()
    await con.execute("UPDATE audio SET state = 'shredded'")
    sealing = asyncio.create_task(
        house.encrypted_store.keep(house.con, "recording", recording_id(1), b"too late")
    )
    waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = $1"
    for _ in range(500):
        if sealing.done() or await con.fetchval(waits, database.rpartition("/")[2]):
            break
        await asyncio.sleep(0.01)
    await destroying.commit()
    with pytest.raises(AudioDestroyed):
        await sealing
    await con.close()
    assert await house.con.fetchval(KEYS) == 0


async def test_while_the_store_hangs_every_key_that_is_due_goes(database: str, tmp_path: Path) -> None:
    """An hour by the clock: keys must not wait for deletions that do not come to an end."""

    class Hanging(Broken):
        async def delete(self, name: str) -> int:
            await asyncio.sleep(3600)
            return await super().delete(name)

    async with house_of(database, tmp_path, objects=Hanging(tmp_path / "objects")) as house:
        await store(house, *range(30))
        await house.con.execute("UPDATE audio SET destroy_after = now()")
        async with house_of(database, tmp_path, objects=house.store) as other:
            hanging = asyncio.create_task(other.destroy())
            while await house.destroyer.shred_next(house.con):
                pass
            assert await house.con.fetchval(KEYS) == 0
            states = await house.con.fetch("SELECT state FROM audio GROUP BY state")
            assert [it["state"] for it in states] == ["shredded"]
            hanging.cancel()
            await asyncio.wait([hanging])


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
    await retentions.store(house.con, node, {"acme": DAY * days, "other": DAY})
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
