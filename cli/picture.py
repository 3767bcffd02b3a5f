"""A route as a picture: boxes from top to bottom, branches to the right, in plain SVG."""

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from cli.route_tree import Node

WIDTH, GAP_X, GAP_Y = 236, 128, 22  # of a box, to the branch beside it, to the step below it
LINE, PAD = 17, 10
LETTERS = 30  # in a line of a box, at 12 px
LABEL = 15  # letters beside the line to a branch, at 11 px
MARGIN = 24
COLOURS = {
    "ring": "#d9ead3",
    "voicemail": "#cfe2f3",
    "hangup": "#f4cccc",
    "announce": "#fff2cc",
    "menu": "#ead1dc",
}
PLAIN = "#eeeeee"


@dataclass(slots=True)
class Picture:
    """The shapes so far, and how far they reach."""

    shapes: list[str] = field(default_factory=list)
    right: float = 0
    bottom: float = 0

    def route(self, steps: tuple[Node, ...], x: float, y: float) -> float:
        """Draw steps below one another, their branches beside them; return where the next step may begin."""
        before: float | None = None
        for node in steps:
            if before is not None:
                self._line(f"M{x + WIDTH / 2} {before} V{y - 2}")
            bottom = self._box(node, x, y)
            before = bottom
            y = max(bottom + GAP_Y, self._branches(node, x, y))
        return y

    def _branches(self, node: Node, x: float, y: float) -> float:
        side = y + PAD + LINE / 2
        for label, branch in node.branches:
            middle = y + PAD + LINE / 2
            self._line(f"M{x + WIDTH} {side} H{x + WIDTH + 12} V{middle} H{x + WIDTH + GAP_X - 3}")
            self._text(
                label if len(label) <= LABEL else f"{label[: LABEL - 1]}…", x + WIDTH + 16, middle - 4, 11
            )
            y = self.route(branch, x + WIDTH + GAP_X, y)
        return y

    def _box(self, node: Node, x: float, y: float) -> float:
        written = textwrap.wrap(node.text, LETTERS, break_on_hyphens=False)
        height = 2 * PAD + LINE * (1 + len(written)) - 4
        colour = COLOURS.get(node.name, PLAIN)
        self.shapes.append(
            f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{height}" rx="6" fill="{colour}" stroke="#555"/>'
        )
        self._text(node.name, x + PAD, y + PAD + 10, 13, bold=True)
        for place, line in enumerate(written, start=1):
            self._text(line, x + PAD, y + PAD + 10 + place * LINE, 12)
        self._reach(x + WIDTH, y + height)
        return y + height

    def _text(self, text: str, x: float, y: float, size: int, *, bold: bool = False) -> None:
        weight = ' font-weight="bold"' if bold else ""
        self.shapes.append(f'<text x="{x}" y="{y}" font-size="{size}"{weight}>{escape(text)}</text>')

    def _line(self, path: str) -> None:
        self.shapes.append(f'<path d="{path}" fill="none" stroke="#555" marker-end="url(#tip)"/>')

    def _reach(self, x: float, y: float) -> None:
        self.right, self.bottom = max(self.right, x), max(self.bottom, y)


def svg(title: str, steps: tuple[Node, ...]) -> str:
    """Return the picture of a route, as a text in SVG."""
    picture = Picture()
    picture._text(title, MARGIN, MARGIN + 6, 15, bold=True)
    picture.route(steps, MARGIN, MARGIN + 28)
    width = max(picture.right, MARGIN + 9 * len(title)) + MARGIN
    return "\n".join(_document(picture.shapes, width, picture.bottom + MARGIN))


def _document(shapes: list[str], width: float, height: float) -> Iterator[str]:
    size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    yield f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="DejaVu Sans Mono, monospace">'
    yield '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7"'
    yield ' orient="auto"><path d="M0 0L8 4L0 8z" fill="#555"/></marker></defs>'
    yield f'<rect width="{width:.0f}" height="{height:.0f}" fill="white"/>'
    yield from shapes
    yield "</svg>\n"
