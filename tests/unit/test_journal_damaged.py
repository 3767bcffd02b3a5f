"""A segment that was torn, flipped or written over: whole records are read, damage costs only itself."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialplan.result import Result
from journal.checkpoint import Checkpoint
from journal.codec import kind_of
from journal.entries import Entry
from journal.reader import Record, Unreadable, read
from journal.segment import segment_name
from tests.unit.journals import FACTS, ended, opened, over, whole


def facts_of(path: Path) -> list[Entry | Checkpoint | Unreadable]:
    return [record.entry for record in read(path).records if not isinstance(record.entry, Checkpoint)]


def is_in_order(found: Sequence[object]) -> bool:
    """Are these some of the facts, in their order?"""
    facts = iter(FACTS)
    return all(any(entry == fact for fact in facts) for entry in found)


def test_cut_at_any_byte_a_segment_is_a_prefix(tmp_path: Path) -> None:
    path = tmp_path / segment_name(7, 1)
    content = whole()
    lengths = set()
    for end in range(len(content)):
        path.write_bytes(content[:end])
        found = facts_of(path)
        assert found == FACTS[: len(found)]
        lengths.add(len(read(path).records))
    assert lengths == {0, 1, 2, 3, 4, 5}


def test_with_any_bit_flipped_a_segment_loses_one_record_at_most(tmp_path: Path) -> None:
    path = tmp_path / segment_name(7, 1)
    content = whole()
    for bit in range(8 * (len(content) - 100)):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        assert is_in_order(facts_of(path))
        assert len(read(path).records) == 4


@given(st.data())
@settings(max_examples=300)
def test_with_anything_written_over_it_a_segment_has_no_wrong_record(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / segment_name(7, 1)
    content = bytearray(whole())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at : at + 64] = data.draw(st.binary(max_size=64))
    path.write_bytes(content)
    assert is_in_order(facts_of(path))
    assert len(read(path, is_closed=True).records) >= 3  # 64 bytes are less than two records


def test_zeros_are_damage_once_nobody_writes_there(tmp_path: Path) -> None:
    path = tmp_path / segment_name(7, 1)
    content = bytearray(whole())
    second = read_back(path, bytes(content))[1]
    content[second.begin : second.end] = bytes(second.end - second.begin)
    path.write_bytes(content)
    assert len(read(path).records) == 1
    found = read(path, is_closed=True).records
    assert [record.skipped for record in found] == [0, second.end - second.begin, 0, 0]


def test_behind_damage_reading_goes_on_where_it_stopped(tmp_path: Path) -> None:
    path = tmp_path / segment_name(7, 1)
    content = bytearray(whole())
    second = read_back(path, bytes(content))[1]
    content[second.begin + 50] ^= 1
    path.write_bytes(content)
    one_by_one = []
    offset = 0
    while found := read(path, offset, most=1):
        if not found.records:
            break
        one_by_one += found.records
        offset = found.next_offset
    assert one_by_one == read(path).records
    assert len(one_by_one) == 4


def read_back(path: Path, content: bytes) -> list[Record]:
    path.write_bytes(content)
    return read(path).records


def test_records_of_another_epoch_are_not_this_segments(tmp_path: Path) -> None:
    path = tmp_path / segment_name(8, 1)
    path.write_bytes(whole())
    assert read(path).records == []


async def test_an_engine_goes_on_after_a_torn_record(tmp_path: Path) -> None:
    path = tmp_path / segment_name(7, 1)
    path.write_bytes(whole()[: -100 - 5])  # the last record, a's end, is torn
    async with opened(tmp_path) as journal:
        assert set(journal.open_calls) == {"a", "b"}
        journal.append(over("a", Result.LOST))
    (call,) = ended(tmp_path)
    assert [kind_of(fact) for fact in call] == ["call_start", "leg_start", "call_end"]
