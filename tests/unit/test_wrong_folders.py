"""Wrong routing folders, one fault each: what the operator is told, to the letter.

A file of `wrong/` is a story: what is wrong, the files put over a good folder, and what must be said.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from config.errors import ConfigErrors
from config.load import load
from config.policy import Policy
from tests.unit.folders import good_folder

CASES = sorted((Path(__file__).parent / "wrong").glob("*.case"))


def read_case(case: Path) -> tuple[Mapping[str, str], str]:
    """The files of a case by their path, and the text expected."""
    _, *parts = re.split(r"^--- (.+)\n", case.read_text("utf-8"), flags=re.MULTILINE)
    files = dict(zip(parts[::2], parts[1::2], strict=True))
    return files, files.pop("expected")


def told(folder: Path) -> str:
    """The errors of a folder, one a line, with paths relative to it."""
    with pytest.raises(ConfigErrors) as wrong:
        load(folder, Policy())
    return "".join(f"{error}\n".replace(f"{folder}/", "") for error in wrong.value.errors)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_a_wrong_folder_is_refused_with_place_and_remedy(case: Path, tmp_path: Path) -> None:
    files, expected = read_case(case)
    good_folder(tmp_path)
    for name, text in files.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode())
    assert told(tmp_path) == expected


def test_there_are_enough_wrong_folders() -> None:
    assert len(CASES) >= 80
