"""Flipped bits in a segment of 1,000 calls that is not drained yet: they cost the entries that they hit."""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from dialplan.result import Outcome
from journal.checkpoint import checkpoint as checkpoint_of
from journal.codec import encode
from journal.entries import Entry, LegStarted, StepPerformed
from journal.follower import DAMAGED, EndedCall, Follower
from journal.segment import Stamp, segment_name
from journal.segment import encode as record_of
from tests.unit.journals import AT, BEGINNING, checkpoint, over, records, started

CALLS = 1_000
ENTRIES: list[Entry] = [
    entry
    for n in range(CALLS)
    for entry in (
        started(str(n)),
        LegStarted(str(n), AT, f"{n}-b1", "+3221112233"),
        StepPerformed(str(n), "ring", Outcome.TAKEN, (), AT),
        over(str(n)),
    )
]
RECORDS = [checkpoint(), *records([encode(entry) for entry in ENTRIES])]


@dataclass
class Journal:
    """A segment with some bits flipped, and the next one, in which the engine has gone on."""

    folder: Path
    hit: list[int]  # the records that have a flipped bit; the first one is the checkpoint

    @property
    def stretches(self) -> list[list[int]]:
        """The damaged records, those together that follow one another."""
        numbered = groupby(enumerate(self.hit), key=lambda pair: pair[1] - pair[0])
        return [[record for _, record in group] for _, group in numbered]


def flipped(folder: Path, bits: Iterable[int]) -> Journal:
    content = bytearray(b"".join(RECORDS))
    starts, hit = beginnings(), set()
    for bit in bits:
        content[bit // 8] ^= 1 << bit % 8
        hit.add(max(n for n, start in enumerate(starts) if start <= bit // 8))
    folder.mkdir()
    (folder / segment_name(7, 1)).write_bytes(content)
    (folder / segment_name(8, 1)).write_bytes(next_segment())
    return Journal(folder, sorted(hit))


def beginnings() -> list[int]:
    starts, at = [], 0
    for record in RECORDS:
        starts.append(at)
        at += len(record)
    return starts


def next_segment() -> bytes:
    return record_of(8, 1, Stamp(9_999, 9_999), checkpoint_of("here", segment_name(7, 1), [], b""))


def drained(journal: Journal) -> tuple[Follower, list[EndedCall]]:
    """All that a worker reads."""
    follower, calls = Follower(journal.folder, BEGINNING), list[EndedCall]()
    while follower.has_more:
        calls += follower.read()
    return follower, calls


def some_bits(dice: random.Random, count: int) -> list[int]:
    return [dice.randrange(8 * sum(map(len, RECORDS))) for _ in range(count)]


RANDOM = [(count, seed) for count in (1, 10, 100) for seed in range(4)]
CASES = {
    **{f"{count} bits, {seed}": some_bits(random.Random(seed), count) for count, seed in RANDOM},
    "the last record": [8 * (sum(map(len, RECORDS)) - 1)],
    "the checkpoint": [8 * 4],
    "neighbours": [8 * start + 1 for start in beginnings()[100:103]],
}


@pytest.mark.parametrize("bits", CASES.values(), ids=CASES)
def test_flipped_bits_cost_the_entries_that_they_hit(tmp_path: Path, bits: list[int]) -> None:
    journal = flipped(tmp_path / "journal", bits)
    with capture_logs() as lines:
        follower, calls = drained(journal)
    lost = {n - 1 for n in journal.hit}
    there = [entry for n, entry in enumerate(ENTRIES) if n not in lost]
    assert sorted(map(encode, there)) == sorted(encode(entry) for call in calls for entry in call.entries)
    assert len({call.call_id for call in calls}) == len(calls)
    assert len(follower.damaged) == len(journal.stretches)
    assert sum(line["event"] == "journal_damaged" for line in lines) == len(journal.stretches)
    aside = sorted((journal.folder / DAMAGED).iterdir())
    assert sum(file.stat().st_size for file in aside) == sum(len(RECORDS[n]) for n in journal.hit)


def test_zeros_cost_the_entries_that_they_hit_however_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk may lose a part of a segment that is larger than what is read at a time."""
    monkeypatch.setattr("journal.reader.SCANNED", 4096)
    journal = flipped(tmp_path / "journal", [])
    segment = journal.folder / segment_name(7, 1)
    content = bytearray(segment.read_bytes())
    content[100_000:150_000] = bytes(50_000)
    segment.write_bytes(content)
    with capture_logs() as lines:
        _, calls = drained(journal)
    hit = [n for n, start in enumerate(beginnings()) if 100_000 - len(RECORDS[n]) < start < 150_000]
    there = [entry for n, entry in enumerate(ENTRIES, start=1) if n not in hit]
    assert sorted(map(encode, there)) == sorted(encode(entry) for call in calls for entry in call.entries)
    (damage,) = (line for line in lines if line["event"] == "journal_damaged")
    assert 50_000 <= damage["bytes"] < 50_500


def test_a_segment_that_ends_too_early_hands_on_its_open_calls(tmp_path: Path) -> None:
    """It was cut between two records: no byte of it is damaged."""
    journal = flipped(tmp_path / "journal", [])
    (journal.folder / segment_name(7, 1)).write_bytes(b"".join(RECORDS[:-2]))
    _, calls = drained(journal)
    assert len(calls) == CALLS
    assert calls[-1].entries == ENTRIES[-4:-2]
