"""Many values kept small: each is found, however many have been unpacked before it."""

import pickle

from config.packed import UNPACKED, Packed


def test_every_value_is_found_again_and_again_and_in_another_process() -> None:
    values = {n: (n, str(n)) for n in range(2 * UNPACKED + 1)}
    packed: Packed[int, tuple[int, str]] = Packed({key: pickle.dumps(value) for key, value in values.items()})
    assert [dict(packed), dict(packed), dict(pickle.loads(pickle.dumps(packed)))] == [values] * 3  # noqa: S301


def test_a_value_asked_for_twice_is_the_same_one() -> None:
    packed = Packed[str, list[str]]({"a": pickle.dumps(["b"])})
    assert packed["a"] is packed["a"]
