"""Two files of a conversation become one: caller left, destination right, to the sample."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage import conversation
from storage.conversation import join
from tests.store.conversations import CALLER, DESTINATION, heard, level_at, tone
from tests.store.sounds import samples, wav_of

FORMATS = ("wav", "flac", "mp3", "opus")


@pytest.mark.parametrize("form", FORMATS)
def test_the_caller_is_left_only_and_the_destination_right_only(form: str) -> None:
    joined = join(wav_of(tone(CALLER, 3)), wav_of(tone(DESTINATION, 3)), form)
    left, right = heard(joined.data).T
    assert level_at(left, CALLER) > -12
    assert level_at(right, DESTINATION) > -12
    assert level_at(left, DESTINATION) < -60
    assert level_at(right, CALLER) < -60
    assert joined.seconds == 3


@pytest.mark.parametrize("form", ["wav", "flac"])
def test_not_a_sample_is_changed(form: str) -> None:
    one, other = samples(1, 2.5), samples(2, 2.5)
    left, right = (heard(join(wav_of(one), wav_of(other), form).data).T * 32768).astype("<i2")
    assert (left.tobytes(), right.tobytes()) == (one, other)


@given(st.integers(0, 5000), st.integers(0, 5000))
def test_the_shorter_side_is_silent_at_its_end(one: int, other: int) -> None:
    caller, destination = bytes([1, 0]) * one, bytes([1, 0]) * other
    joined = join(wav_of(caller), wav_of(destination), "wav")
    left, right = heard(joined.data).T
    assert len(left) == max(one, other) == round(joined.seconds * 8000)
    assert [int(np.count_nonzero(side)) for side in (left, right)] == [one, other]
    assert not left[one:].any()
    assert not right[other:].any()


def test_what_is_longer_than_a_block_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    told = (wav_of(samples(1, 2.5)), wav_of(samples(2, 1.9)), "wav")
    at_once = join(*told)
    monkeypatch.setattr(conversation, "BLOCK", 1600)
    in_pieces = join(*told)
    assert in_pieces.data == at_once.data
    assert in_pieces.caller.speech == pytest.approx(at_once.caller.speech, abs=0.02)


def test_a_file_that_was_cut_by_a_kill_is_taken_by_its_size() -> None:
    raw = wav_of(tone(CALLER, 2))
    killed = raw[:4] + bytes(4) + raw[8:40] + bytes(4) + raw[44:-1]
    assert join(killed, raw, "wav").seconds == 2


@pytest.mark.parametrize("nothing", [None, b"", wav_of(b"")])
def test_of_nothing_there_is_no_conversation(nothing: bytes | None) -> None:
    assert join(nothing, nothing, "flac").seconds == 0


@pytest.mark.parametrize(
    ("caller", "destination", "one_way", "silent", "clipping"),
    [
        (0.1, 0.1, None, False, False),
        (0.1, 0, "caller", False, False),
        (0, 0.1, "destination", False, False),
        (0, 0, None, True, False),
        (0.0005, 0.0005, None, True, False),
        (0.1, 1.0, None, False, True),
    ],
)
def test_what_is_wrong_with_it_is_told(
    caller: float, destination: float, one_way: str | None, silent: bool, clipping: bool
) -> None:
    joined = join(wav_of(tone(CALLER, 2, caller)), wav_of(tone(DESTINATION, 2, destination)), "wav")
    assert (joined.one_way, joined.silent, joined.clipping) == (one_way, silent, clipping)


def test_a_side_that_is_not_there_is_a_silent_one() -> None:
    assert join(None, wav_of(tone(DESTINATION, 2)), "wav").one_way == "destination"
