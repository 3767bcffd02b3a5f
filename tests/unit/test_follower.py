"""Reading a journal along while it is written: each call that has ended is told, once."""

import os
from pathlib import Path

import pytest

from journal.follower import ENDED, Follower, backlog, sweep
from journal.position import Position
from journal.reader import Read, read
from journal.recovery import OpenCalls
from journal.segment import Stamp, encode, segment_name, segments
from journal.writer import as_payload
from tests.unit.journals import BEGINNING, FACTS, SMALL, checkpoint, ended, entry, opened, whole


async def test_a_follower_sees_each_call_end_once_over_many_segments(tmp_path: Path) -> None:
    async with opened(tmp_path, SMALL) as journal:
        for n in range(300):
            journal.note(entry(str(n), "call_start"))
            await journal.note(entry(str(n - 7), "call_end"))
    assert [call[0]["call"] for call in ended(tmp_path)] == [str(n) for n in range(293)]


async def test_a_follower_reads_on_while_the_journal_is_written(tmp_path: Path) -> None:
    follower = Follower(tmp_path, Position())
    assert follower.read() == []  # the worker may be there before the first engine
    async with opened(tmp_path) as journal:
        await journal.note(entry("a", "call_start"))
        assert [follower.read() for _ in range(3)] == [[], [], []]
        await journal.note(entry("a", "call_end"))
        (call,) = follower.read()
        assert [fact["kind"] for fact in call.entries] == ["call_start", "call_end"]
        assert backlog(tmp_path, follower.position) == 0


async def test_a_follower_knows_whether_there_is_more_to_read(tmp_path: Path) -> None:
    """Else a drainer would wait between two batches of a long journal, or make one of each call."""
    async with opened(tmp_path) as journal:
        for n in range(ENDED + 1):
            journal.note(entry(str(n), "call_start"))
            journal.note(entry(str(n), "call_end"))
        await journal.note(entry("open", "call_start"))
        follower = Follower(tmp_path, Position())
        told = [(len(follower.read()), follower.has_more) for _ in range(3)]
    assert told == [(ENDED, True), (1, False), (0, False)]


async def test_a_follower_that_begins_anywhere_misses_nothing_and_repeats_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path, SMALL) as journal:
        for n in range(100):
            journal.note(entry(str(n), "call_start"))
            await journal.note(entry(str(n - 5), "call_end"))
    everything = ended(tmp_path)
    places = [Position(path.name, record.end) for path in segments(tmp_path) for record in read(path).records]
    told = [len(ended(tmp_path, since)) for since in places]
    assert told == sorted(told, reverse=True)
    assert told[-1] == 0
    assert all(
        ended(tmp_path, since) == everything[len(everything) - n :]
        for since, n in zip(places, told, strict=True)
    )


def test_what_is_written_just_before_a_segment_changes_is_not_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between a read that finds nothing and the look for a newer segment, the writer may do both."""
    old, new = tmp_path / segment_name(7, 1), tmp_path / segment_name(7, 2)
    old.write_bytes(whole()[: -100 - len(encode(7, 5, Stamp(3, 3), as_payload(FACTS[3])))])
    follower = Follower(tmp_path, BEGINNING)
    assert follower.read() == []

    def read_and_then_go_on(path: Path, offset: int, most: int) -> Read:
        found = read(path, offset, most)
        old.write_bytes(whole())
        new.write_bytes(checkpoint())
        return found

    monkeypatch.setattr("journal.follower.read", read_and_then_go_on)
    assert [call.call_id for _ in range(3) for call in follower.read()] == ["a"]


def test_only_what_a_checkpoint_names_is_open_after_it() -> None:
    """A segment that somebody deleted must not leave its calls open for ever."""
    calls = OpenCalls()
    calls.add(entry("forgotten", "call_start"))
    calls.add({"kind": "checkpoint", "open": [[entry("open", "call_start")]]})
    assert list(calls) == ["open"]


async def test_a_call_noted_again_after_its_end_is_told_again_with_a_greater_revision(tmp_path: Path) -> None:
    follower = Follower(tmp_path, Position())
    async with opened(tmp_path) as journal:
        for outcome in ("lost", "answered"):
            journal.note(entry("a", "call_start"))
            journal.note(entry("a", "turn", step="hours", why="open"))
            await journal.note(entry("a", "call_end", outcome=outcome))
    first, second = [call for _ in range(3) for call in follower.read()]
    assert (first.entries[-1]["outcome"], second.entries[-1]["outcome"]) == ("lost", "answered")
    assert second.rev > first.rev


async def test_the_backlog_is_what_was_written_and_not_what_was_preallocated(tmp_path: Path) -> None:
    async with opened(tmp_path, 2**20) as journal:
        await journal.note(entry("a", "call_start"))
        (path,) = segments(tmp_path)
        assert path.stat().st_size == 2**20
        assert backlog(tmp_path, Position()) == read(path).next_offset < 1000


async def test_only_drained_and_old_segments_are_swept(tmp_path: Path) -> None:
    async with opened(tmp_path, SMALL) as journal:
        for n in range(100):
            await journal.note(entry(str(n), "call_start"))
    first, second, third, *_ = segments(tmp_path)
    os.utime(first, (1000, 1000))
    os.utime(third, (1000, 1000))
    assert sweep(tmp_path, Position(third.name, 10), older_than=2000) == [first.name]
    assert not first.exists()
    assert second.exists()
