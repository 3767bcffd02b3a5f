"""The whole matrix: `make faults`. Its table goes into docs/reliability.md.

Each fault strikes under real calls of every kind; then again, once in each phase of a message or recording.
The oracle judges these together, and a violation counts for all of them: `--apart` finds the one.
"""

import argparse
import asyncio
import subprocess
from collections.abc import Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.faults import points
from tests.faults.columns import HELD_PHASES, Held
from tests.faults.field import open_field
from tests.faults.killing import killed_at_random
from tests.faults.matrix import Cell, described, run, run_and_mend
from tests.faults.page import PAGE, rewrite
from tests.faults.rows import ROWS, Row, of

KILLS_DISK = "1g"  # for the journal and CEL of a whole run


def main() -> None:
    """Run it, print what is violated, write the table, and end with 1 if anything is."""
    asked = arguments()
    rows = [row for row in ROWS if not asked.row or any(part in row.name for part in asked.row)]
    with (
        nullcontext(asked.folder) if asked.folder else TemporaryDirectory("", "callengine-faults-") as folder
    ):
        cells: list[Cell] = []
        if asked.points:
            asyncio.run(at_points(Path(folder), asked.row, cells))
        elif asked.kills:
            asyncio.run(kills(Path(folder), asked.kills, cells))
        else:
            asyncio.run(all_cells(Path(folder), rows, asked, cells))
    raise SystemExit(1 if any(cell.violations for cell in cells) else 0)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--row", action="append", help="only faults whose name has this in it")
    parser.add_argument("--phase", action="append", help="only these phases of messages; 'none': calls alone")
    parser.add_argument("--apart", action="store_true", help="a run of its own for each of these phases")
    parser.add_argument(
        "--kills", type=int, default=0, help="only so many kills at random moments, of all parts"
    )
    parser.add_argument("--points", action="store_true", help="only kills of the engine at its failpoints")
    parser.add_argument("--folder", help="an empty one, which keeps journal, CEL and logs of the run")
    parser.add_argument("--no-write", dest="write", action="store_false", help="leave the page as it is")
    return parser.parse_args()


def runs(asked: Sequence[str] | None, *, apart: bool) -> list[Sequence[Held]]:
    """The phases of each run of a row: none, with calls alone; then all together, or each `apart`."""
    phases = [phase for phase in HELD_PHASES if not asked or phase.name in asked]
    alone: list[Sequence[Held]] = [()] if not asked or "none" in asked else []
    held = [[phase] for phase in phases] if apart else [phases] if phases else []
    return [*alone, *held]


async def all_cells(folder: Path, rows: Sequence[Row], asked: argparse.Namespace, cells: list[Cell]) -> None:
    """Add each cell to `cells`, and write the table anew: a run that is ended has what it came to."""
    of = f"{datetime.now(UTC).date().isoformat()} {commit()}"
    async with open_field(folder) as field:
        for row in rows:
            if row.on_disk and field.disk is None:
                print(f"{row.name}: left out, no file system can be mounted here")
                continue
            for phases in runs(asked.phase, apart=asked.apart):
                cells.append(cell := await run_and_mend(field, [row], phases))
                report(cell)
                if asked.write:
                    PAGE.write_text(rewrite(PAGE.read_text(), cells, of))


async def kills(folder: Path, count: int, cells: list[Cell]) -> None:
    """Of engine, worker, Asterisk and PostgreSQL under calls, judged once at the end."""
    async with open_field(folder, KILLS_DISK) as field:
        row = Row(f"{count} kills at random moments", of(killed_at_random, count))
        cells.append(cell := await run(field, [row]))
    report(cell)
    print(described(cell))


async def at_points(folder: Path, asked: Sequence[str] | None, cells: list[Cell]) -> None:
    """Kill the engine at each of its failpoints, one after the other under calls, and judge once for each."""
    async with open_field(folder, KILLS_DISK) as field:
        for row in points.rows():
            if not asked or any(part in row.name for part in asked):
                cells.append(cell := await run_and_mend(field, [row]))
                report(cell)


def report(cell: Cell) -> None:
    phases = [f"{name}{'' if reached else ' not reached'}" for name, reached in cell.reached.items()]
    where = f" ({', '.join(phases)})" if phases else ""
    waited, late = cell.measured["longest wait for service"], cell.measured["lateness of the machine"]
    took = f"{cell.calls} calls in {cell.seconds:.0f} s"
    judged = f"{took}, waited {waited:.2f} s, timers late by {late:.2f} s"
    print(f"{' + '.join(cell.rows)}{where}: {judged}", flush=True)
    for name, violations in cell.violations.items():
        for violation in violations:
            print(f"    {name} {violation}", flush=True)


def commit() -> str:
    """The commit; `-dirty` if any file but the page, which this writes, differs from it."""
    try:
        name = git("describe", "--always")
        return f"{name}-dirty" if git("status", "--porcelain", "--", ":!" + str(PAGE)) else name
    except (OSError, subprocess.CalledProcessError):
        return "of no commit"  # an archive


def git(*words: str) -> str:
    return subprocess.run(["git", *words], capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    main()
