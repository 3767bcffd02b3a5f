"""The matrix as a table of docs/reliability.md, between its markers."""

from collections.abc import Sequence
from pathlib import Path

from tests.faults.columns import CALL_PHASES, HELD_PHASES
from tests.faults.matrix import Cell

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- faults: begin -->", "<!-- faults: end -->"


def rewrite(page: str, table: str) -> str:
    """The page with this table between its markers. Raises ValueError where it has none."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page lacks {BEGIN} or {END}")
    return f"{before}{BEGIN}\n{table}\n{END}{after}"


def table(cells: Sequence[Cell], when: str, commit: str) -> str:
    """Two tables: what the faults hit of calls, and of messages and recordings."""
    rows = list(dict.fromkeys(" + ".join(cell.rows) for cell in cells))
    broken = sum(bool(cell.violations) for cell in cells)
    calls = sum(cell.calls for cell in cells)
    lines = [
        f"{when}, commit {commit}: {len(cells)} runs, {calls} calls, {broken} with a violation.",
        "",
        "Calls that were in each phase when the fault struck, and how long a caller waited at most until",
        "somebody was called or something was heard:",
        "",
        head(["fault", *CALL_PHASES, "waited", "violated"]),
        *(call_line(row, of(cells, row)) for row in rows),
    ]
    if any(cell.phase for cell in cells):
        names = [phase.name for phase in HELD_PHASES]
        lines += ["", "The fault struck while the worker stood at this point of a message or recording:", ""]
        lines += [head(["fault", *names]), *(held_line(row, of(cells, row)) for row in rows)]
    return "\n".join(lines)


def of(cells: Sequence[Cell], row: str) -> list[Cell]:
    return [cell for cell in cells if " + ".join(cell.rows) == row]


def head(names: Sequence[str]) -> str:
    return f"| {' | '.join(names)} |\n|{'---|' * len(names)}"


def call_line(row: str, cells: Sequence[Cell]) -> str:
    hits = [str(sum(cell.hits.get(phase, 0) for cell in cells) or "") for phase in CALL_PHASES]
    waited = max(cell.measured["longest wait for service"] for cell in cells)
    violated = sorted({name for cell in cells for name in cell.violations})
    return f"| {row} | {' | '.join(hits)} | {waited:.1f} s | {', '.join(violated) or 'nothing'} |"


def held_line(row: str, cells: Sequence[Cell]) -> str:
    by_phase = {cell.phase: cell for cell in cells}
    return f"| {row} | {' | '.join(verdict(by_phase.get(phase.name)) for phase in HELD_PHASES)} |"


def verdict(cell: Cell | None) -> str:
    if cell is None:
        return ""
    if cell.violations:
        return ", ".join(sorted(cell.violations))
    return "holds" if cell.reached else "not reached"
