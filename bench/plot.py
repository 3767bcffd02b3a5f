"""Setup time against call rate, as SVG; two dozen points need no plotting library."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from math import log10
from typing import Any

WIDTH, HEIGHT = 720, 470
LEFT, RIGHT, TOP, BOTTOM = 60, 20, 100, 50
TITLE, LEGEND = 24, 44  # from the top; the curves begin below
COLOURS = ("#6b7280", "#2563eb", "#d97706", "#059669")
STYLE = "font-family: sans-serif; font-size: 13px"

Point = tuple[float, float]


def plot(results: Mapping[str, Any]) -> str:
    """Median (solid) and 99th percentile (dashed) of each system."""
    systems = {name: one["delays"] for name, one in results["systems"].items()}
    rates = sorted({float(rate) for delays in systems.values() for rate in delays})
    highest = max(
        one["setup_p99"] for delays in systems.values() for one in delays.values() if "setup_p99" in one
    )
    canvas = Canvas(rates, highest * 1.1)
    body = [*canvas.axes(), *(
        line
        for index, (name, delays) in enumerate(systems.items())
        for line in canvas.curves(index, name, delays)
    )]  # fmt: skip
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" style="{STYLE}">',
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
            *body,
            "</svg>\n",
        ]
    )


class Canvas:
    """From calls a second (logarithmic) and milliseconds to points of the picture."""

    def __init__(self, rates: Sequence[float], highest: float) -> None:
        self.rates = rates
        self.highest = max(highest, 1.0)

    def at(self, rate: float, delay: float) -> Point:
        low, high = log10(self.rates[0]), log10(self.rates[-1])
        share = (log10(rate) - low) / (high - low) if high > low else 0.5
        x = LEFT + share * (WIDTH - LEFT - RIGHT - 20) + 10
        return round(x, 1), round(HEIGHT - BOTTOM - delay / self.highest * (HEIGHT - TOP - BOTTOM), 1)

    def axes(self) -> Iterator[str]:
        for delay in ticks(self.highest):
            _, y = self.at(self.rates[0], delay)
            yield f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}" stroke="#e5e7eb"/>'
            yield text(LEFT - 8, y + 4, f"{delay:g}", "end")
        for rate in self.rates:
            yield text(self.at(rate, 0)[0], HEIGHT - BOTTOM + 20, f"{rate:g}", "middle")
        yield text(LEFT, TITLE, "setup, ms: from the caller's INVITE to the destination's", "start")
        yield text(WIDTH / 2, HEIGHT - 10, "calls a second", "middle")

    def curves(self, index: int, name: str, delays: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
        colour = COLOURS[index % len(COLOURS)]
        for kind, dashes in (("setup_p50", ""), ("setup_p99", ' stroke-dasharray="5 4"')):
            points = [self.at(float(rate), one[kind]) for rate, one in delays.items() if kind in one]
            path = " ".join(f"{x},{y}" for x, y in points)
            yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{dashes}/>'
            yield from (f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>' for x, y in points)
        y = LEGEND + 18 * index
        yield f'<path d="M{LEFT + 16} {y} h24" stroke="{colour}" stroke-width="2"/>'
        yield text(LEFT + 48, y + 4, f"{name}: median, and dashed the 99th percentile", "start")


def ticks(highest: float) -> list[float]:
    """Four to ten round values from 0."""
    rough = highest / 5
    size = 10 ** int(log10(rough) // 1)
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= rough)
    return [step * n for n in range(int(highest / step) + 1)]


def text(x: float, y: float, words: str, anchor: str) -> str:
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" fill="#111827">{escape(words)}</text>'
