"""Percentages that are exact over each 100 calls, and as evenly spread over them as can be."""

from collections.abc import Sequence
from functools import cache

WHOLE = 100


def check_percents(percents: Sequence[int]) -> None:
    """Raises ValueError unless they come to 100."""
    if (total := sum(percents)) != WHOLE:
        raise ValueError(f"the percentages come to {total}; make them 100")


@cache
def spread(percents: tuple[int, ...]) -> tuple[int, ...]:
    """Return for each of 100 calls the index of its percentage: of 75 and 25 %, 0 0 1 0 0 0 1 0 ...

    Each call goes to the place that is most behind its share (nginx: smooth weighted round robin).
    """
    behind = [0] * len(percents)
    order = []
    for _ in range(WHOLE):
        behind = [lag + percent for lag, percent in zip(behind, percents, strict=True)]
        place = behind.index(max(behind))
        behind[place] -= WHOLE
        order.append(place)
    return tuple(order)
