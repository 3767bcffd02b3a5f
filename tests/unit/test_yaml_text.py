"""YAML as text and places; and what is refused before it can grow."""

import time
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.errors import At, Place
from config.yaml_text import MAX_BYTES, UnreadableError, read


@pytest.mark.parametrize(
    "written",
    ["070012345", "+3270012345", "0032470111222", "17:30", "no", "~", "1e3", "2026-12-25", "0x10", "off", ""],
)
def test_every_plain_value_is_the_text_that_is_written(written: str) -> None:
    assert read(f"key: {written}".encode()).value == {"key": written}


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"], max_codepoint=0xFFFF), max_size=50))
def test_every_quoted_text_comes_back_as_it_is(text: str) -> None:
    quoted = "'" + text.replace("'", "''") + "'"
    assert read(f"- {quoted}".encode()).value == [text]


def test_everything_has_a_place_and_an_entry_that_of_its_key() -> None:
    document = read(b"number: +32\nroute:\n  - ring: {to: [a, b],\n      seconds: 20}\n")
    places: Mapping[At, Place] = document.places
    assert places[("number",)] == (1, 1)
    assert places["route", 0] == (3, 5)
    assert places["route", 0, "ring", "to"] == (3, 12)
    assert places["route", 0, "ring", "to", 1] == (3, 20)
    assert places["route", 0, "ring", "seconds"] == (4, 7)


def test_what_is_missing_has_the_place_of_what_should_hold_it() -> None:
    document = read(b"route:\n  - announce: welcome\n")
    assert document.place(("route", 0, "announce", "prompt")) == (2, 5)
    assert document.place(("owner",)) == (1, 1)


BOMBS = {
    "brackets": b"[" * 3_000,
    "many brackets": b"[" * MAX_BYTES,
    "braces": b"{a: " * 500_000,
    "dashes": b"- " * 1_000_000,
    "question marks": b"? " * 1_000_000,
    "billion laughs": b"a: &a [x, x]\n"
    + b"".join(b"%c: &%c [*%c, *%c]\n" % (n, n, n - 1, n - 1) for n in b"bcdefghi"),
    "anchors": b"- &a x\n" * 200_000,
    "entries": b"- a\n" * 500_000,
    "keys": b"".join(b"k%d: v\n" % n for n in range(150_000)),
    "flow": b"[" + b"a: b," * 300_000,
    "5 MB scalar": b"key: " + b"x" * 5_000_000,
    "2 MB scalar": b'key: "' + b"x" * (MAX_BYTES - 10) + b'"',
    "escapes": b'key: "' + b"\\x41" * 490_000 + b'"',
    "long key": b"x" * 1_900_000 + b": a",
    "tags": b"!" * 1_900_000,
    "documents": b"---\n" * 400_000,
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_refused_in_a_tenth_of_a_second(bomb: str) -> None:
    assert min(seconds_to_refuse(BOMBS[bomb]) for _ in range(3)) < 0.1


def seconds_to_refuse(data: bytes) -> float:
    """Of the processor: other tests run beside this one; for the same reason the best of three counts."""
    began = time.process_time()
    with pytest.raises(UnreadableError):
        read(data)
    return time.process_time() - began


@pytest.mark.parametrize(
    ("data", "place", "what"),
    [
        (b"a: &x b", (1, 4), "no anchors"),
        (b"a: *x", (1, 4), "no anchors"),
        (b"a: !!int 5", (1, 4), "no tags"),
        (b"a: ! 5", (1, 4), "no tags"),
        (b"a: 1\nb: 2\na: 3", (3, 1), "`a` stands here twice"),
        (b"a: {b: 1, b: 2}", (1, 11), "`b` stands here twice"),
        (b"[a, b]: c", (1, 1), "a key is one word"),
        (b"a: 1\n---\nb: 2", (2, 1), "a second document"),
        (b"# nothing", (1, 1), "is empty"),
        (b"a: 1\nb: caf\xe9", (2, 7), "no UTF-8 text"),
        (b"a: \x00", (1, 4), "no UTF-8 text"),
        (b"a: b: c", (1, 5), "a colon too many"),
        (b"a:\n\t- b", (2, 1), "indent with spaces"),
        (b"a: 'b", (1, 6), "cannot be read as YAML"),
    ],
)
def test_what_could_surprise_is_refused_where_it_stands(
    data: bytes, place: tuple[int, int], what: str
) -> None:
    with pytest.raises(UnreadableError, match=what) as refused:
        read(data)
    assert refused.value.place == place


@given(st.binary(max_size=200) | st.text("-:[]{}?!&*#'\"|> \n\tab", max_size=60).map(str.encode))
def test_whatever_is_written_is_read_or_refused(data: bytes) -> None:
    try:
        document = read(data)
    except UnreadableError:
        return
    assert () in document.places
