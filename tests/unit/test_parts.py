"""The parts of a recorded conversation are laid where they belong: no sample is lost, no time either."""

import os
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from process.clock import Clock
from storage import conversation
from storage.conversation import join_parts
from storage.marks import Marker
from storage.parts import NAME, Part, lay, read_marks
from tests.store.conversations import CALLER, DESTINATION, heard, level_at, part_of, tone

T = 1_764_280_000_000
MS = 8  # samples


def part(at: int, after: int, length: int) -> Part:
    """So many samples, of which no two are the same."""
    frames = np.stack([np.arange(1, length + 1), -np.arange(1, length + 1)], axis=1)
    return Part(T + at, after, frames.astype(np.int16))


def sides(*parts: Part, lasted: float = 0) -> tuple[list[int], list[int]]:
    """All samples of the caller, and of the destination."""
    blocks = [np.zeros((0, 2), np.int16), *lay(parts, lasted).blocks(1000)]
    caller, destination = np.concatenate(blocks).T
    return caller.tolist(), destination.tolist()


def test_what_the_destination_hears_is_the_caller() -> None:
    told = Part(T, 0, np.frombuffer(part_of(tone(CALLER, 2), tone(DESTINATION, 2)), "<i2").reshape(-1, 2))
    left, right = heard(join_parts([told], "wav", 2).data).T
    assert level_at(left, CALLER) > -12
    assert level_at(right, DESTINATION) > -12
    assert max(level_at(left, DESTINATION), level_at(right, CALLER)) < -60


def test_a_pause_is_silence_of_its_length() -> None:
    caller, destination = sides(part(0, 0, 100 * MS), part(100, 120, 0), part(350, 0, 50 * MS))
    assert destination == [*range(1, 801), *[0] * 250 * MS, *range(1, 401)]
    assert caller == [-sample for sample in destination]


def test_a_pause_that_nobody_ended_ends_by_itself() -> None:
    _, destination = sides(part(0, 0, 100 * MS), part(100, 2, 50 * MS))
    assert destination == [*range(1, 801), *[0] * 2000 * MS, *range(1, 401)]


@pytest.mark.parametrize(("lasted", "seconds"), [(0.5, 0.5), (9.0, 2.1), (0.0, 0.1)])
def test_a_call_that_ends_in_a_pause_is_silent_to_its_end(lasted: float, seconds: float) -> None:
    line = lay([part(0, 0, 100 * MS), part(100, 2, 0)], lasted)
    assert line.length == seconds * 8000
    assert line.missing == 0


def test_what_was_lost_within_a_part_is_made_up_for_and_told() -> None:
    line = lay([part(0, 0, 60 * MS), part(100, 120, 0), part(200, 0, 100 * MS)], 0.3)
    assert (line.length, line.missing) == (300 * MS, 0.04)


def test_a_part_that_is_longer_than_its_time_pushes_the_next_one_back() -> None:
    _, destination = sides(part(0, 0, 120 * MS), part(100, 0, 10 * MS))
    assert destination == [*range(1, 961), *range(1, 81)]


def test_a_clock_that_was_set_back_costs_nothing() -> None:
    _, destination = sides(part(0, 0, 10 * MS), part(-500, 0, 20 * MS))
    assert len(destination) == 510 * MS


def test_a_clock_that_was_set_far_ahead_fills_no_disk() -> None:
    far = 10 * 365 * 86_400_000
    assert lay([part(0, 0, 10), part(far, 0, 10)], 0).length == 12 * 3600 * 8000 + 10


@given(
    st.lists(st.tuples(st.integers(0, 400), st.sampled_from([0, 1]), st.integers(0, 900)), max_size=6),
    st.floats(0, 5),
)
def test_no_sample_is_ever_left_out(told: list[tuple[int, int, int]], lasted: float) -> None:
    parts = [part(*one) for one in told]
    line = lay(parts, lasted)
    found = np.concatenate([np.zeros((0, 2), np.int16), *line.blocks(333)])
    assert len(found) == line.length
    ordered = sorted(parts, key=lambda it: it.at)
    assert found[:, 1][found[:, 1] != 0].tolist() == [s for it in ordered for s in it.frames[:, 0].tolist()]


def marked(length: int, *marks: tuple[int, int]) -> Part:
    """A part with marks: ms since its beginning, ms of it that were there."""
    one = part(0, 0, length * MS)
    return Part(one.at, one.after, one.frames, tuple((T + at, there * MS) for at, there in marks))


def test_time_that_is_missing_is_made_up_for_where_the_marks_show_it() -> None:
    told = marked(3000, (1010, 1000), (2995, 2000))
    line = lay([told], 4)
    _, destination = sides(told)
    assert line.missing == pytest.approx(0.995)
    assert destination == [*range(1, 8001), *[0] * 995 * MS, *range(8001, 24_001)]


def test_marks_that_are_a_little_late_move_nothing() -> None:
    assert lay([marked(3000, (1059, 1000), (1990, 2000), (3050, 3000))], 3).missing == 0


def test_what_is_lost_little_by_little_is_made_up_for_little_by_little() -> None:
    line = lay([marked(3000, (1030, 1000), (2070, 2000), (3110, 3000))], 3.11)
    assert [stretch.silence for stretch in line.stretches] == [0, 0, 70 * MS, 0, 0]


@pytest.mark.parametrize("mark", [(500, 1001), (10**13, 500), (-1000, 500), (900, 0)])
def test_a_mark_that_is_none_loses_no_sample(mark: tuple[int, int]) -> None:
    # Hours of silence, where the mark is far off: looked through block by block.
    blocks = lay([marked(1000, mark, (1000, 1000))], 0).blocks(480_000)
    heard_of = [block[:, 1][block[:, 1] != 0] for block in blocks]
    assert np.concatenate(heard_of).tolist() == list(range(1, 8001))


def test_what_is_missing_within_parts_is_counted_once() -> None:
    told = [marked(1000, (1500, 1000)), part(2000, 120, 0), part(3000, 0, 10)]
    line = lay(told, 3)
    assert (line.length, line.missing) == (3000 * MS + 10, 1.0)


def test_marks_are_read_that_are_whole(tmp_path: Path) -> None:
    file = tmp_path / "x.marks"
    file.write_text(f"{T} 32768\nnonsense\n{T + 1024} 65536\n{T + 2048} 98")
    assert read_marks(file) == ((T, 8192), (T + 1024, 16_384))
    assert read_marks(tmp_path / "none.marks") == ()


def test_how_far_a_part_has_come_is_noted_while_it_is_written(tmp_path: Path) -> None:
    file = tmp_path / f"x-{T}.raw"
    marker = Marker(tmp_path)
    for name in ("other.raw", f"x-{T}.wav"):
        (tmp_path / name).write_bytes(bytes(8))
    marks = []
    for size in (0, 32_768, 32_768, 65_536):
        file.write_bytes(bytes(size))
        marker.look()
        marks.append(len(read_marks(file.with_suffix(".marks"))))
    assert marks == [0, 1, 1, 2]
    os.utime(file, (0, 0))
    Marker(tmp_path).look()
    assert len(read_marks(file.with_suffix(".marks"))) == 2
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize("hours", [1, -1])
def test_marks_do_not_follow_a_clock_that_is_set(tmp_path: Path, hours: int) -> None:
    """Else the recording would have an hour of silence in it."""
    now, by = time.time_ns(), hours * 3600 * 10**9
    hands = [now]
    marker = Marker(tmp_path, Clock(lambda: hands[0], lambda: 0))
    file = tmp_path / f"x-{now // 10**6}.raw"
    for size in range(1, 7):
        file.write_bytes(bytes(32_768 * size))
        if size == 4:
            hands[0] += by
        if size > 4:
            since = file.stat().st_mtime_ns + by
            os.utime(file, ns=(since, since))
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(time, "time_ns", lambda: now + (by if size > 4 else 0))  # noqa: B023
            marker.look()
    marks = read_marks(file.with_suffix(".marks"))
    assert [frames for _, frames in marks] == [8192 * size for size in (1, 2, 3, 5, 6)]
    assert all(abs(ms - now // 10**6) < 60_000 for ms, _ in marks)


def test_what_is_longer_than_a_block_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [part(0, 0, 5000), part(1000, 1, 3000)]
    at_once = join_parts(parts, "wav", 3)
    monkeypatch.setattr(conversation, "BLOCK", 700)
    assert join_parts(parts, "wav", 3).data == at_once.data


def test_of_nothing_there_is_no_conversation() -> None:
    assert join_parts([part(0, 0, 0)], "flac", 3).seconds == 0
    assert join_parts([], "flac", 3).seconds == 0


def test_a_frame_that_a_crash_has_cut_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / f"x-{T}-s120.raw"
    file.write_bytes(bytes(range(1, 12)))
    named = NAME.fullmatch(file.name.removeprefix("x"))
    assert named
    read = Part.read(file, named)
    assert (read.at, read.after, read.written) == (T, 120, T + 120_000)
    assert read.frames.tobytes() == bytes(range(1, 9))
