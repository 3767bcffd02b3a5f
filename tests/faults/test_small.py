"""The small tier of the fault matrix: the faults that happen in every year, under real calls of every kind.

The whole matrix is `make faults`. This one is part of `make test`, by itself: some 90 s.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.faults.field import Field, open_field
from tests.faults.matrix import described, run
from tests.faults.rows import ROWS

SMALL = [row for row in ROWS if row.small]


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
    assert all(cell.counted.values()), cell.counted
