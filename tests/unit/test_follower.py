"""Reading a journal along while it is written: each call that has ended is told, once."""

import os
from pathlib import Path

import pytest

from dialplan.result import Result
from journal.checkpoint import checkpoint as checkpoint_of
from journal.codec import encode, kind_of
from journal.entries import Entry, Turned
from journal.follower import ENDED, Follower, backlog, sweep
from journal.position import Position
from journal.reader import Read, Record, content_of, read
from journal.recovery import OpenCalls
from journal.segment import Stamp, segment_name, segments
from journal.segment import encode as record_of
from journal.writer import Journal
from tests.unit.journals import (
    BEGINNING,
    FACTS,
    SMALL,
    checkpoint,
    ended,
    lay_out,
    opened,
    over,
    records,
    started,
    whole,
)


async def test_a_follower_sees_each_call_end_once_over_many_segments(tmp_path: Path) -> None:
    async with opened(tmp_path, SMALL) as journal:
        for n in range(300):
            journal.append(started(str(n)))
            await journal.append(over(str(n - 7)))
    assert [call[0].call for call in ended(tmp_path)] == [str(n) for n in range(293)]


async def test_a_follower_reads_on_while_the_journal_is_written(tmp_path: Path) -> None:
    follower = Follower(tmp_path, Position())
    assert follower.read() == []  # the worker may be there before the first engine
    async with opened(tmp_path) as journal:
        await journal.append(started("a"))
        assert [follower.read() for _ in range(3)] == [[], [], []]
        await journal.append(over("a"))
        (call,) = follower.read()
        assert [kind_of(fact) for fact in call.entries] == ["call_start", "call_end"]
        assert backlog(tmp_path, follower.position) == 0


async def test_a_follower_knows_whether_there_is_more_to_read(tmp_path: Path) -> None:
    """Else a drainer would wait between two batches of a long journal, or make one of each call."""
    async with opened(tmp_path, 2**20) as journal:
        for n in range(ENDED + 1):
            journal.append(started(str(n)))
            journal.append(over(str(n)))
        await journal.append(started("open"))
        follower = Follower(tmp_path, Position())
        told = [(len(follower.read()), follower.has_more) for _ in range(3)]
    assert told == [(ENDED, True), (1, False), (0, False)]


async def test_a_follower_that_begins_anywhere_misses_nothing_and_repeats_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path, SMALL) as journal:
        for n in range(100):
            journal.append(started(str(n)))
            await journal.append(over(str(n - 5)))
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
    old.write_bytes(whole()[: -100 - len(records([encode(FACTS[3])])[0])])
    follower = Follower(tmp_path, BEGINNING)
    assert follower.read() == []

    def read_and_then_go_on(path: Path, offset: int, most: int, *, is_closed: bool) -> Read:
        found = read(path, offset, most, is_closed=is_closed)
        old.write_bytes(whole())
        new.write_bytes(checkpoint())
        return found

    monkeypatch.setattr("journal.follower.read", read_and_then_go_on)
    assert [call.call_id for _ in range(3) for call in follower.read()] == ["a"]


def record(payload: bytes) -> Record:
    return Record(0, 1, 0, 0, payload, content_of(payload))


def test_only_what_a_checkpoint_names_is_open_after_it() -> None:
    """A segment that somebody deleted must not leave its calls open for ever: they are handed on as is."""
    calls = OpenCalls()
    calls.add(record(encode(started("forgotten"))))
    handed_on = calls.add(record(checkpoint_of("here", "", [[encode(started("open"))]], b"")))
    assert list(handed_on) == ["forgotten"]
    assert list(calls) == ["open"]


NEWER = b'{"call":"a","kind":"teleported","at":"2026-11-24T10:00:00Z","to":"Mars"}'
DAMAGED = b'{"call":"a","kind":"leg_ringing","at":"yesterday","leg":"a-b1"}'


@pytest.mark.parametrize("strange", [NEWER, DAMAGED, b"no JSON", b"{}"])
def test_an_entry_that_cannot_be_read_costs_itself_alone(tmp_path: Path, strange: bytes) -> None:
    lay_out(tmp_path, [encode(FACTS[0]), strange, *map(encode, FACTS[1:])])
    assert ended(tmp_path) == [[FACTS[0], FACTS[1], FACTS[3]]]


def test_what_cannot_be_read_of_a_call_is_handed_on_as_it_stands(tmp_path: Path) -> None:
    lay_out(tmp_path, [encode(FACTS[0]), NEWER, encode(FACTS[3])])
    (call,) = Follower(tmp_path, BEGINNING).read()
    assert call.payloads == [encode(FACTS[0]), NEWER, encode(FACTS[3])]


def test_a_call_whose_beginning_cannot_be_read_is_told_for_a_person_to_see(tmp_path: Path) -> None:
    start = encode(FACTS[0]).replace(b'"withheld":false', b'"withheld":null')
    lay_out(tmp_path, [start, encode(FACTS[3])])
    (call,) = Follower(tmp_path, BEGINNING).read()
    assert (call.call_id, call.entries, len(call.payloads)) == ("a", [FACTS[3]], 2)


def test_a_call_whose_end_cannot_be_read_is_told_once_a_checkpoint_does_not_name_it(tmp_path: Path) -> None:
    end = encode(FACTS[3]).replace(b'"abandoned"', b'"teleported"')
    path = lay_out(tmp_path, [encode(FACTS[0]), end, encode(started("b")), encode(over("b"))])
    path.with_name(segment_name(7, 2)).write_bytes(checkpoint())
    assert ended(tmp_path) == [[started("b"), over("b")], [FACTS[0]]]


@pytest.mark.parametrize("nth", [0, 1, 2, 500, 1000, 1997, 1998, 1999])
def test_one_flipped_bit_costs_no_call_but_its_own(tmp_path: Path, nth: int) -> None:
    """Its own is told as well, once a checkpoint does not name it: for a person to look at."""
    calls: list[list[Entry]] = [[started(str(n)), over(str(n))] for n in range(1000)]
    path = lay_out(tmp_path, [encode(entry) for call in calls for entry in call])
    hit = read(path).records[1 + nth]
    content = bytearray(path.read_bytes())
    content[hit.begin + 60] ^= 4
    path.write_bytes(content)
    path.with_name(segment_name(7, 2)).write_bytes(checkpoint())
    found = ended(tmp_path)
    damaged = nth // 2
    assert sorted(call[0].call for call in found) == sorted(call[0].call for call in calls)
    assert [call for call in found if call[0].call != str(damaged)] == calls[:damaged] + calls[damaged + 1 :]


async def test_a_call_whose_end_is_damaged_is_told_by_a_checkpoint_in_the_middle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise it were open until the segment is full: on a quiet night, for hours."""
    monkeypatch.setattr("journal.folder.CHECKPOINT_SECONDS", 0.0)
    async with opened(tmp_path) as journal:
        path = await damaged_end(journal, tmp_path)
        monkeypatch.undo()  # one more checkpoint, and then an entry that is younger
        for call in ("new", "newer"):
            await journal.append(started(call))
        follower = Follower(tmp_path, BEGINNING)
        assert [call.entries for call in follower.read()] == [[started("hit")]]
        assert follower.open_calls == {"open", "new", "newer"}
        assert segments(tmp_path) == [path]


async def test_an_engine_that_starts_again_opens_what_the_last_checkpoint_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("journal.folder.CHECKPOINT_SECONDS", 0.0)
    async with opened(tmp_path) as journal:
        await damaged_end(journal, tmp_path)
        await journal.append(started("new"))
    async with opened(tmp_path) as successor:
        assert set(successor.open_calls) == {"open", "new"}
        assert ended(tmp_path) == [[started("hit")]]


async def damaged_end(journal: Journal, folder: Path) -> Path:
    """A call is open, and the end of another one is damaged in this segment."""
    for call in ("hit", "open"):
        await journal.append(started(call))
    await journal.append(over("hit"))
    (path,) = segments(folder)
    flip(path, read(path).records[-1])
    return path


def flip(path: Path, hit: Record) -> None:
    """One bit of its payload."""
    content = bytearray(path.read_bytes())
    content[hit.begin + 60] ^= 4
    path.write_bytes(content)


def test_a_follower_that_ends_behind_a_checkpoint_leaves_its_missing_calls_to_the_next(
    tmp_path: Path,
) -> None:
    """A worker is killed between the first record of a segment and the next one."""
    lay_out(tmp_path, [encode(started("missing"))])
    new = tmp_path / segment_name(7, 2)
    first = record_of(7, 3, Stamp(3, 3), checkpoint_of("here", "", [], b""))
    new.write_bytes(first)
    follower = Follower(tmp_path, BEGINNING)
    while follower.has_more:
        assert follower.read() == []
    new.write_bytes(first + record_of(7, 4, Stamp(4, 4), encode(started("next"))))
    assert ended(tmp_path, follower.position) == [[started("missing")]]
    while follower.has_more or follower.position.segment != new.name:
        follower.read()
    assert ended(tmp_path, follower.position) == []


def test_a_follower_that_begins_behind_a_damaged_checkpoint_knows_what_was_open(tmp_path: Path) -> None:
    lay_out(tmp_path, [encode(started("a"))])
    new = tmp_path / segment_name(7, 2)
    first = record_of(7, 3, Stamp(3, 3), checkpoint_of("here", "", [[encode(started("a"))]], b""))
    entries: list[Entry] = [started("b"), over("a")]
    rest = [record_of(7, n, Stamp(n, n), encode(entry)) for n, entry in enumerate(entries, 4)]
    new.write_bytes(b"".join([first, *rest]))
    flip(new, read(new).records[0])
    since = Position(new.name, read(new).records[0].end)
    assert ended(tmp_path, since) == [[started("a"), over("a")]]


def test_damage_is_counted_and_kept_aside(tmp_path: Path) -> None:
    path = lay_out(tmp_path, [encode(fact) for fact in FACTS])
    hit = read(path).records[2]
    content = bytearray(path.read_bytes())
    content[hit.begin + 60] ^= 4
    path.write_bytes(content)
    for _ in range(2):
        follower = Follower(tmp_path, BEGINNING)
        follower.read()
        assert follower.damaged == {Position(path.name, hit.begin)}
    (kept,) = (tmp_path / "damaged").iterdir()
    assert kept.read_bytes() == bytes(content[hit.begin : hit.end])
    again = Follower(tmp_path, follower.position)
    again.read()
    assert again.damaged == set()


async def test_a_call_noted_again_after_its_end_is_told_again_with_a_greater_revision(tmp_path: Path) -> None:
    follower = Follower(tmp_path, Position())
    async with opened(tmp_path) as journal:
        for outcome in (Result.LOST, Result.ANSWERED):
            journal.append(started("a"))
            journal.append(Turned("a", "hours", "open"))
            await journal.append(over("a", outcome))
    first, second = [call for _ in range(3) for call in follower.read()]
    assert [call.entries[-1] for call in (first, second)] == [
        over("a", Result.LOST),
        over("a", Result.ANSWERED),
    ]
    assert second.rev > first.rev


async def test_the_backlog_is_what_was_written_and_not_what_was_preallocated(tmp_path: Path) -> None:
    async with opened(tmp_path, 2**20) as journal:
        await journal.append(started("a"))
        (path,) = segments(tmp_path)
        assert path.stat().st_size == 2**20
        assert backlog(tmp_path, Position()) == read(path).next_offset < 1000


async def test_only_drained_and_old_segments_are_swept(tmp_path: Path) -> None:
    async with opened(tmp_path, SMALL) as journal:
        for n in range(100):
            await journal.append(started(str(n)))
    first, second, third, *_ = segments(tmp_path)
    os.utime(first, (1000, 1000))
    os.utime(third, (1000, 1000))
    assert sweep(tmp_path, Position(third.name, 10), older_than=2000) == [first.name]
    assert not first.exists()
    assert second.exists()
