"""The tables of the fault matrix in docs/reliability.md."""

from dataclasses import replace

import pytest

from tests.faults.matrix import Cell
from tests.faults.page import BEGIN, END, rewrite

CELL = Cell(
    rows=("the engine: kill -9",), calls=12, hits={"ringing": 3}, violations={}, reached={},
    seconds=20.0, measured={"longest wait for service": 0.4}, counted={},
)  # fmt: skip


def test_the_table_stands_between_its_markers() -> None:
    cells = [
        CELL,
        replace(CELL, reached={"message stored": False, "mail sent": True}),
        replace(CELL, violations={"V3": ["twice"]}),
    ]
    page = rewrite(f"before\n{BEGIN}\nnot run\n{END}\nafter\n", cells, "2026-11-28 abc")
    assert page.startswith(f"before\n{BEGIN}\n")
    assert page.endswith(f"\n{END}\nafter\n")
    assert "not run" not in page
    assert "| the engine: kill -9 |  | 9 |" in page
    assert "| 36 | 0.4 s | V3 | 2026-11-28 abc |" in page
    assert "| the engine: kill -9 |  |  | not reached |  | holds |" in page
    with pytest.raises(ValueError, match="lacks"):
        rewrite("no markers", cells, "")


def test_a_violation_counts_for_all_phases_that_were_judged_together() -> None:
    cells = [
        replace(CELL, reached={"mail claimed": True, "mail sent": True}, violations={"V3": ["twice"]}),
        replace(CELL, reached={"mail accepted": True}),
    ]
    page = rewrite(f"{BEGIN}\n{END}", cells, "monday")
    assert "| the engine: kill -9 |  |  |  | V3 | V3 | holds |" in page


def test_rows_that_are_run_later_join_those_of_before() -> None:
    page = rewrite(f"{BEGIN}\n{END}", [replace(CELL, rows=("Asterisk: kill -9",))], "monday")
    page = rewrite(page, [replace(CELL, violations={"V3": ["twice"]})], "tuesday")
    page = rewrite(page, [CELL], "wednesday")
    lines = [line for line in page.splitlines() if line.startswith(("| the engine", "| Asterisk"))]
    assert [line.split(" | ")[0] for line in lines] == ["| the engine: kill -9", "| Asterisk: kill -9"]
    assert [line.split(" | ")[-1] for line in lines] == ["wednesday |", "monday |"]
    assert "V3" not in page
