"""The tiers of the tests: of what takes long `make test` runs a few cases, `make heavy` the others."""

from collections.abc import Sequence

import pytest

heavy = pytest.mark.heavy


def mostly_heavy[T](cases: Sequence[T], light: int) -> list[T]:
    """The cases, as parameters of a test: all but `light` of them, which are spread evenly, are heavy."""
    kept = {place * len(cases) // light for place in range(light)}
    # ParameterSet has no public name; to parametrize() it is one of the cases.
    return [
        case if place in kept else pytest.param(case, marks=heavy)  # type: ignore[misc]
        for place, case in enumerate(cases)
    ]


def first_light[T](*cases: T) -> list[T]:
    """The cases, as parameters of a test: all but the first are heavy."""
    return mostly_heavy(cases, 1)
