"""The matrix as a table of docs/reliability.md, between its markers.

Each line has the date and commit of its run, so that rows may be run one by one: the others keep their lines.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.faults.columns import CALL_PHASES, HELD_PHASES
from tests.faults.matrix import Cell
from tests.faults.rows import ROWS

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- faults: begin -->", "<!-- faults: end -->"
CALLS = (
    "Calls that were in each phase when the fault struck, the longest wait until somebody was called or",
    "something was heard, and what was violated:",
)
HELD = ("The fault struck while the worker stood at this point of a message or recording:",)


def rewrite(page: str, cells: Sequence[Cell], of: str) -> str:
    """The page with these cells in its tables. `of`: date and commit. Raises ValueError without markers."""
    before, begin, rest = page.partition(BEGIN)
    old, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page lacks {BEGIN} or {END}")
    return f"{before}{BEGIN}\n{tables(old, cells, of)}\n{END}{after}"


def tables(old: str, cells: Sequence[Cell], of: str) -> str:
    """Two tables: what the faults hit of calls, and of messages and recordings."""
    calls, _, held = old.partition(HELD[0])
    lines = [*CALLS, "", head(["fault", *CALL_PHASES, "calls", "waited", "violated", "run"])]
    lines += sorted_lines(calls, {row: call_line(row, of_row(cells, row), of) for row in names(cells)})
    phased = [cell for cell in cells if cell.reached]
    of_held = {row: held_line(row, of_row(phased, row), of) for row in names(phased)}
    if held_lines := list(sorted_lines(held, of_held)):
        lines += ["", *HELD, "", head(["fault", *(phase.name for phase in HELD_PHASES), "run"]), *held_lines]
    return "\n".join(lines)


def sorted_lines(old: str, new: dict[str, str]) -> Iterator[str]:
    """The lines of the earlier table and the new ones, in the order of the rows."""
    found = {line.split(" | ")[0].removeprefix("| "): line for line in old.splitlines() if "|" in line}
    lines = found | new
    yield from (lines[row.name] for row in ROWS if row.name in lines)


def names(cells: Sequence[Cell]) -> list[str]:
    return list(dict.fromkeys(" + ".join(cell.rows) for cell in cells))


def of_row(cells: Sequence[Cell], row: str) -> list[Cell]:
    return [cell for cell in cells if " + ".join(cell.rows) == row]


def head(columns: Sequence[str]) -> str:
    return f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}"


def call_line(row: str, cells: Sequence[Cell], of: str) -> str:
    hits = [str(sum(cell.hits.get(phase, 0) for cell in cells) or "") for phase in CALL_PHASES]
    waited = max(cell.measured["longest wait for service"] for cell in cells)
    violated = ", ".join(sorted({name for cell in cells for name in cell.violations})) or "nothing"
    calls = sum(cell.calls for cell in cells)
    return f"| {row} | {' | '.join(hits)} | {calls} | {waited:.1f} s | {violated} | {of} |"


def held_line(row: str, cells: Sequence[Cell], of: str) -> str:
    by_phase = {phase: verdict(cell, phase) for cell in cells for phase in cell.reached}
    return f"| {row} | {' | '.join(by_phase.get(phase.name, '') for phase in HELD_PHASES)} | {of} |"


def verdict(cell: Cell, phase: str) -> str:
    """A violation counts for each phase of its run: the oracle judges them together."""
    if cell.violations:
        return ", ".join(sorted(cell.violations))
    return "holds" if cell.reached[phase] else "not reached"
