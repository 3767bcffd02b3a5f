"""The small tier of the fault matrix: the faults that happen in every year, under real calls of every kind.

The whole matrix is `make faults`.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.faults.columns import HELD_PHASES
from tests.faults.field import Field, open_field
from tests.faults.matrix import Cell, run
from tests.faults.rows import ROWS

SMALL = [row for row in ROWS if row.small]
HELD = next(phase for phase in HELD_PHASES if phase.name == "mail sent")
WORKER, ASTERISK = (row for row in ROWS if row.name in ("the worker: kill -9", "Asterisk: kill -9"))


@pytest.fixture
async def field(tmp_path: Path) -> AsyncIterator[Field]:
    async with open_field(tmp_path) as it:
        yield it


@pytest.mark.alone
@pytest.mark.timeout(240)
async def test_whatever_breaks_under_calls_every_promise_holds(field: Field) -> None:
    rows = [row for row in SMALL if field.disk is not None or not row.on_disk]
    cell = await run(field, rows)
    print(described(cell))
    assert cell.violations == {}
    last = await run(field, [WORKER, ASTERISK], HELD)
    print(described(last))
    assert (last.violations, last.reached) == ({}, True)


def described(cell: Cell) -> str:
    """A line for those who run it with -s."""
    numbers = ", ".join(f"{what} {seconds:.2f} s" for what, seconds in cell.measured.items())
    return (
        f"{' + '.join(cell.rows)}: {cell.calls} calls in {cell.seconds:.0f} s; {dict(cell.hits)}; {numbers}"
    )
