"""CPU of calls with audio, as SVG: a bar for each system, divided by process."""

from collections.abc import Iterator, Mapping
from typing import Any

from bench.goals import DURING, during
from bench.plot import STYLE, text, ticks

WIDTH, LEFT, RIGHT, TOP = 720, 240, 60, 40
BAR, GAP, GROUP = 18, 4, 20
COLOURS = {"asterisk": "#6b7280", "engine": "#2563eb"}
NAMES = {"talk": "call of 10 s, G.711", "recorded": "the same, recorded", "message": "message of 5 s"}


def bars(results: Mapping[str, Any]) -> str:
    """Milliseconds of CPU for each call."""
    kinds = results["sounds"]
    longest = max(during(one["cpu"]) for systems in kinds.values() for one in systems.values())
    scale = (WIDTH - LEFT - RIGHT) / max(longest, 1.0)
    rows = [(kind, name, one["cpu"]) for kind, systems in kinds.items() for name, one in systems.items()]
    height = TOP + len(rows) * (BAR + GAP) + len(kinds) * GROUP + 20
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" style="{STYLE}">',
            f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
            *axis(longest, scale, height),
            *legend(),
            *drawn(rows, scale),
            "</svg>\n",
        ]
    )


def axis(longest: float, scale: float, height: float) -> Iterator[str]:
    for value in ticks(longest):
        x = round(LEFT + value * scale, 1)
        yield f'<line x1="{x}" x2="{x}" y1="{TOP}" y2="{height - 20}" stroke="#e5e7eb"/>'
        yield text(x, height - 5, f"{value:g}", "middle")


def legend() -> Iterator[str]:
    yield text(10, 20, "CPU of a call, ms:", "start")
    for place, part in enumerate(DURING):
        x = LEFT + place * 110
        yield f'<rect x="{x}" y="10" width="12" height="12" fill="{COLOURS[part]}"/>'
        yield text(x + 18, 20, part, "start")


def drawn(rows: list[tuple[str, str, Mapping[str, float]]], scale: float) -> Iterator[str]:
    y, before = float(TOP - GROUP), ""
    for kind, name, cpu in rows:
        if kind != before:
            y, before = y + GROUP, kind
            yield text(10, y + 14, NAMES[kind], "start")
        yield text(LEFT - 8, y + 14, name, "end")
        x = float(LEFT)
        for part in DURING:
            width = max(cpu.get(part, 0.0), 0.0) * scale
            yield f'<rect x="{x:.1f}" y="{y:g}" width="{width:.1f}" height="{BAR}" fill="{COLOURS[part]}"/>'
            x += width
        yield text(x + 6, y + 14, f"{during(cpu):.0f}", "start")
        y += BAR + GAP
