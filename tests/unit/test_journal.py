"""The journal, on a real disk: durable before done, whole after every crash, silent about nothing."""

import asyncio
import json
import os
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from dialplan.result import Result
from journal import writer
from journal.checkpoint import Checkpoint
from journal.codec import encode as encode_entry
from journal.codec import kind_of
from journal.entries import Answered, CallEnded, Entry, HandedOver, Heartbeat, LegRang, LegStarted, Turned
from journal.reader import read
from journal.recovery import recover
from journal.segment import Stamp, encode, epoch_of, segment_name, segments
from journal.writer import Journal, JournalClosed, JournalInUse
from tests.unit.journals import (
    AT,
    SMALL,
    ended,
    lay_out,
    opened,
    over,
    started,
    written,
)


async def test_what_was_noted_is_read_back_in_order(tmp_path: Path) -> None:
    said: list[Entry] = [started("a"), started("b"), over("a")]
    async with opened(tmp_path) as journal:
        for fact in said:
            journal.append(fact)
    assert written(tmp_path) == said


async def test_an_entry_that_was_awaited_can_be_read_while_the_journal_is_open(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        await journal.append(started("a"))
        assert written(tmp_path) == [started("a")]
        assert journal.lag == 0


async def test_a_hand_over_is_written_at_once_for_the_next_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This engine may be killed now, while Asterisk goes on: nothing else of the call may tell who called."""
    monkeypatch.setattr(writer, "LAZY_SECONDS", 3600)
    async with opened(tmp_path) as journal:
        synced, sync = threading.Event(), os.fdatasync

        def tell_synced(fd: int) -> None:
            sync(fd)
            synced.set()

        monkeypatch.setattr(os, "fdatasync", tell_synced)
        journal.append(started("a"))
        handed_over = HandedOver(started("a").call, AT, ("+3221112233",), 20)
        journal.append(handed_over)
        await asyncio.to_thread(synced.wait, 5)
        assert written(tmp_path) == [started("a"), handed_over]


class SlowDisk:
    """fdatasync that stands still until it is let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.syncing = threading.Event()
        self.go = threading.Event()
        self.syncs = 0
        monkeypatch.setattr(os, "fdatasync", self.sync)

    def sync(self, fd: int) -> None:
        self.syncs += 1
        self.syncing.set()
        assert self.go.wait(10)


async def test_an_entry_is_done_only_when_the_disk_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = SlowDisk(monkeypatch)
    async with opened(tmp_path) as journal:
        durable = journal.append(started("a"))
        assert await asyncio.to_thread(disk.syncing.wait, 10)
        assert not durable.done()
        assert journal.lag > 0
        disk.go.set()
        await durable


async def test_what_comes_during_a_sync_shares_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = SlowDisk(monkeypatch)
    async with opened(tmp_path) as journal:
        first = journal.append(started("0"))
        assert await asyncio.to_thread(disk.syncing.wait, 10)
        others = [journal.append(started(str(n))) for n in range(1, 101)]
        disk.go.set()
        await asyncio.gather(first, *others)
    assert disk.syncs == 2


async def test_a_caller_who_stops_waiting_takes_nothing_from_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = SlowDisk(monkeypatch)
    async with opened(tmp_path) as journal:
        given_up, other = journal.append(started("a")), journal.append(started("b"))
        given_up.cancel()
        disk.go.set()
        await other
    assert [fact.call for fact in written(tmp_path)] == ["a", "b"]


async def test_the_next_engine_finds_the_calls_that_have_no_end(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        for call in ("gone", "open"):
            journal.append(started(call))
            journal.append(LegStarted(call, AT, f"{call}-b1", "+3221112233"))
        journal.append(over("gone"))
    async with opened(tmp_path) as successor:
        assert list(successor.open_calls) == ["open"]
        assert [kind_of(fact) for fact in successor.open_calls["open"]] == ["call_start", "leg_start"]


async def test_a_call_stays_open_over_restarts_and_segments_until_it_ends(tmp_path: Path) -> None:
    async with opened(tmp_path, SMALL) as journal:
        journal.append(started("long"))
        for n in range(200):
            await journal.append(started(f"short {n}"))
            journal.append(over(f"short {n}"))
    assert len(segments(tmp_path)) > 5
    async with opened(tmp_path, SMALL) as second:
        second.append(Answered("long", AT))
    async with opened(tmp_path, SMALL) as third:
        assert [kind_of(fact) for fact in third.open_calls["long"]] == ["call_start", "answered"]
        third.append(over("long"))
    async with opened(tmp_path, SMALL) as fourth:
        assert fourth.open_calls == {}


async def test_the_newest_segment_alone_tells_all_that_is_open(tmp_path: Path) -> None:
    async with opened(tmp_path, SMALL) as journal:
        journal.append(started("long"))
        for n in range(100):
            await journal.append(Turned("long", "hours", f"open {n}"))
    *older, _ = segments(tmp_path)
    assert older
    for path in older:
        path.unlink()
    assert len(recover(tmp_path).open_calls["long"].entries) == 101


async def test_the_next_engine_knows_the_last_instant_that_the_journal_tells(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        assert journal.last_known is None
        journal.append(started("a"))
        journal.append(Turned("a", "hours", "open"))
        journal.append(Heartbeat(AT + timedelta(seconds=9)))
        journal.append(Answered("a", AT + timedelta(seconds=5)))
    async with opened(tmp_path) as successor:
        assert successor.last_known == AT + timedelta(seconds=9)
        assert list(successor.open_calls) == ["a"]


async def test_a_heartbeat_outlives_its_segment(tmp_path: Path) -> None:
    async with opened(tmp_path, SMALL) as journal:
        journal.append(Heartbeat(AT + timedelta(hours=1)))
        for n in range(100):
            await journal.append(started(str(n)))
    *older, _ = segments(tmp_path)
    for path in older:
        path.unlink()
    for _ in range(2):
        async with opened(tmp_path, SMALL) as successor:
            assert successor.last_known == AT + timedelta(hours=1)


def test_a_checkpoint_of_an_older_engine_is_read(tmp_path: Path) -> None:
    """As the writer of commit adc1be6 writes it, with entries of that time."""
    told = [
        {"call": "a", "kind": "call_start", "at": "2026-11-24T10:00:00.123+00:00", "number": "+3270012345",
         "owner": "acm\ud800", "caller": "", "withheld": False, "node": "here", "channel": "a-a"},
        {"call": "a", "kind": "turn", "step": "hours", "why": "open"},
    ]  # fmt: skip
    entries = ",".join(json.dumps(entry, separators=(",", ":")) for entry in told)
    old = f'{{"kind":"checkpoint","node":"here","after":"","open":[[{entries}]]}}'.encode("ascii")
    (tmp_path / segment_name(7, 1)).write_bytes(encode(7, 1, Stamp(1, 1), old))
    found = recover(tmp_path)
    assert found.open_calls["a"].entries == [started("a", owner="acm\ud800"), Turned("a", "hours", "open")]
    assert (found.last_known, found.heartbeat) == (AT, b"")


async def test_a_call_whose_beginning_cannot_be_read_is_ended_as_lost(tmp_path: Path) -> None:
    """No engine can go on with it; the worker keeps what there is of it for a person to look at."""
    strange = b'{"call":"a","kind":"call_start","at":"2027-01-01T00:00:00Z","of":"tomorrow"}'
    lay_out(tmp_path, [strange, encode_entry(started("b"))])
    async with opened(tmp_path) as journal:
        assert list(journal.open_calls) == ["b"]
    assert list(recover(tmp_path).open_calls) == ["b"]
    assert ended(tmp_path) == [[CallEnded("a", AT, Result.LOST, "lost")]]


async def test_more_open_calls_than_a_segment_holds_get_a_larger_one(tmp_path: Path) -> None:
    async with opened(tmp_path, SMALL) as journal:
        for n in range(500):
            journal.append(started(str(n), owner="x" * 100))
    assert len(recover(tmp_path).open_calls) == 500


async def test_epochs_and_wall_stamps_only_grow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for hour in (2_000_000_000, 1_999_996_400):  # the clock is set back an hour between two engines
        monkeypatch.setattr("time.time", lambda hour=hour: float(hour))
        monkeypatch.setattr("time.time_ns", lambda hour=hour: hour * 10**9)
        async with opened(tmp_path) as journal:
            journal.append(started("a"))
            journal.append(started("b"))
    records = [record for path in segments(tmp_path) for record in read(path).records]
    stamps = [record.wall for record in records if not isinstance(record.entry, Checkpoint)]
    assert stamps == sorted(set(stamps))
    assert [epoch_of(path) for path in segments(tmp_path)] == [2_000_000_000, 2_000_000_001]


async def test_a_second_engine_is_told_that_the_journal_is_in_use(tmp_path: Path) -> None:
    async with opened(tmp_path):
        with pytest.raises(JournalInUse, match="another engine writes this journal"):
            await Journal.open(tmp_path, "here")
    async with opened(tmp_path):
        pass


async def test_nothing_can_be_noted_after_closing(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        pass
    with pytest.raises(JournalClosed):
        journal.append(started("a"))


async def test_an_entry_that_cannot_be_written_is_refused_and_the_next_is_kept(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        with pytest.raises(ValueError, match="time zone"):
            journal.append(LegRang("a", AT.replace(tzinfo=None), "a-b1"))
        await journal.append(started("b"))
    assert [fact.call for fact in written(tmp_path)] == ["b"]
