"""The table of fallbacks that Asterisk dials without the engine."""

from pathlib import Path

from engine.fallback import render, with_national
from engine.included import replace


def write(path: Path, table: dict[str, str]) -> bool:
    """Whether the file had to change."""
    return replace(path, lambda old: render(table, old))[1]


def lines(path: Path) -> list[str]:
    return [line for line in path.read_text().splitlines() if line.startswith("FB_")]


def test_every_number_with_a_fallback_is_a_global_variable(tmp_path: Path) -> None:
    assert write(tmp_path / "fallback.conf", {"3270012345": "+3221112233", "32800": "+3221112244"})
    assert lines(tmp_path / "fallback.conf") == ["FB_3270012345=+3221112233", "FB_32800=+3221112244"]


def test_a_table_that_stands_there_already_is_not_written_again(tmp_path: Path) -> None:
    write(tmp_path / "fallback.conf", {"3270012345": "+3221112233"})
    assert not write(tmp_path / "fallback.conf", {"3270012345": "+3221112233"})


def test_a_fallback_that_is_taken_away_stays_as_an_empty_line(tmp_path: Path) -> None:
    """Asterisk keeps a global variable over a reload, unless it is told that there is nothing in it."""
    write(tmp_path / "fallback.conf", {"3270012345": "+3221112233", "32800": "+3221112244"})
    assert write(tmp_path / "fallback.conf", {"32800": "+3221112244"})
    assert lines(tmp_path / "fallback.conf") == ["FB_3270012345=", "FB_32800=+3221112244"]
    assert not write(tmp_path / "fallback.conf", {"32800": "+3221112244"})


def test_a_trunk_that_dials_in_national_form_finds_the_fallback_too() -> None:
    assert with_national({"3270012345": "+3221112233"}, country="32") == {
        "3270012345": "+3221112233",
        "070012345": "+3221112233",
    }
