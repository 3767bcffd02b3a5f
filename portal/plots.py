"""Plots as shapes for SVG: drawn by the server, so that a page needs no script. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 640, 180  # of the drawing, in its own units
LEFT, BOTTOM, TOP = 44, 22, 16
GAP = 0.25  # of a column


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle. `group`: its class, which gives its colour and pattern."""

    x: float
    y: float
    width: float
    height: float
    group: str


@dataclass(frozen=True, slots=True)
class Plot:
    """Stacked bars. `rows`: a label and its count of each group, which is the same as a table."""

    bars: tuple[Bar, ...]
    labels: tuple[tuple[float, str], ...]
    ticks: tuple[tuple[float, int], ...]
    rows: tuple[tuple[str, Mapping[str, int]], ...]
    groups: tuple[str, ...]
    width: int = WIDTH
    height: int = HEIGHT

    @property
    def base(self) -> int:
        return HEIGHT - BOTTOM

    @property
    def left(self) -> int:
        return LEFT

    @property
    def total(self) -> int:
        return sum(sum(counts.values()) for _, counts in self.rows)


def stacked(rows: Sequence[tuple[str, Mapping[str, int]]], groups: Sequence[str]) -> Plot:
    """One bar for each row, with a part for each group."""
    top = ceiling(max((sum(counts.values()) for _, counts in rows), default=0))
    step = (WIDTH - LEFT) / max(len(rows), 1)
    scale = (HEIGHT - BOTTOM - TOP) / top
    bars = tuple(
        bar
        for place, (_, counts) in enumerate(rows)
        for bar in _bars(LEFT + (place + GAP / 2) * step, step * (1 - GAP), counts, groups, scale)
    )
    labels = tuple((round(LEFT + (place + 0.5) * step, 1), label) for place, (label, _) in enumerate(rows))
    ticks = tuple((round(HEIGHT - BOTTOM - value * scale, 1), value) for value in sorted({0, top // 2, top}))
    return Plot(bars, labels, ticks, tuple(rows), tuple(groups))


def _bars(
    x: float, width: float, counts: Mapping[str, int], groups: Sequence[str], scale: float
) -> Iterator[Bar]:
    y = float(HEIGHT - BOTTOM)
    for group in groups:
        height = counts.get(group, 0) * scale
        if height:
            y -= height
            yield Bar(round(x, 1), round(y, 1), round(width, 1), round(height, 1), group)


def ceiling(value: int) -> int:
    """The next round number: 2, 4, 10, 20, 40, 100 ... so that the half of it is whole."""
    factor = 1
    while True:
        for step in (2, 4, 10):
            if value <= step * factor:
                return step * factor
        factor *= 10
