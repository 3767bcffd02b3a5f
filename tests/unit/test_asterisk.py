"""Asterisk's configuration and the script that brings Asterisk, as far as neither needs Asterisk."""

import re
import subprocess
from pathlib import Path

import pytest

from devkit.asterisk import render
from devkit.asterisk_tree import AsteriskTrouble, Tree

ASTERISK = Path(__file__).parents[2] / "asterisk"


def blanks(text: str) -> set[str]:
    return set(re.findall(r"@([A-Z0-9_]+)@", text))


def test_every_blank_of_the_configuration_is_explained_and_no_other() -> None:
    used = set().union(*(blanks(file.read_text()) for file in (ASTERISK / "etc").glob("*.conf")))
    told = blanks("".join(re.findall(r"^\| `@.*?\|", (ASTERISK / "README.md").read_text(), re.MULTILINE)))
    assert used == told


def test_blanks_are_filled_in_and_asterisks_own_variables_stay() -> None:
    assert render("bindport = @PORT@ ; ${EXTEN}@trunk", {"PORT": 8088}) == "bindport = 8088 ; ${EXTEN}@trunk"


def test_a_blank_without_a_value_is_an_error() -> None:
    with pytest.raises(KeyError):
        render("bindport = @PORT@", {})


def test_a_folder_without_asterisk_is_told_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(AsteriskTrouble, match=r"run asterisk/fetch-asterisk\.sh"):
        Tree.unpacked(tmp_path)


def fetch(destination: Path, **environment: str) -> tuple[int, str]:
    script = subprocess.run(
        ["/bin/bash", ASTERISK / "fetch-asterisk.sh", destination],
        env={"PATH": "/usr/bin:/bin", "HOME": str(destination)} | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    return script.returncode, script.stderr


def an_installed(folder: Path, version: str) -> str:
    program = folder / "asterisk"
    program.write_text(f"#!/bin/sh\necho 'Asterisk {version}'\n")
    program.chmod(0o755)
    return str(program)


@pytest.mark.parametrize("version", ["22.10.1", "22.10.1+dfsg+~cs6.17", "23.0.0"])
def test_an_installed_asterisk_that_is_new_enough_is_used(tmp_path: Path, version: str) -> None:
    status, said = fetch(tmp_path / "new", ASTERISK_BIN=an_installed(tmp_path, version))
    assert (status, "using" in said, (tmp_path / "new").exists()) == (0, True, False)


@pytest.mark.parametrize("version", ["22.10.0", "22.9.9", "20.5.0", "certified/18.9"])
def test_an_installed_asterisk_that_is_too_old_is_refused_with_the_remedy(
    tmp_path: Path, version: str
) -> None:
    status, said = fetch(tmp_path / "new", ASTERISK_BIN=an_installed(tmp_path, version))
    assert (status, "unset" in said) == (1, True)


def test_a_complete_folder_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "SHA256SUMS").touch()
    assert fetch(tmp_path) == (0, "")


def test_without_apt_the_remedy_is_an_installed_asterisk(tmp_path: Path) -> None:
    for tool in ("dirname", "realpath"):
        (tmp_path / tool).symlink_to(Path("/usr/bin") / tool)
    status, said = fetch(tmp_path / "new", PATH=str(tmp_path))
    assert (status, "set ASTERISK_BIN" in said) == (1, True)
