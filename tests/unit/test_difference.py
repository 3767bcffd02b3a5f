"""What is different between two routing folders, in words."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from cli.difference import counted, difference, shown
from cli.outline import outline
from config.copies import sha256_of
from config.yaml_text import read
from tests.unit.folders import NUMBER, good_folder

ROUTE = """\
number: +3270012345
owner: acme
timezone: Europe/Brussels
route:
  - announce: welcome
  - hours:
      open: mon-fri 09:00-17:00
      closed:
        - announce: closed
        - hangup: closed
  - ring: {to: [+3221112233, {number: +3221112234, present: anonymous}], seconds: 20}
  - menu: {prompt: choose, keys: {1: [{ring: +3221112235}], 2: [{hangup: busy}]}}
  - callers: [{who: withheld, block: busy}, {who: BE, then: [{voicemail: {}}]}]
"""


def test_an_outline_has_a_line_for_each_setting_and_step() -> None:
    lines = [f"{'  ' * line.depth}{line.text}" for line in outline(read(ROUTE.encode()).value)]
    assert (
        "\n".join(lines)
        == """\
number: +3270012345
owner: acme
timezone: Europe/Brussels
route
  announce: welcome
  hours: open mon-fri 09:00-17:00
    closed
      announce: closed
      hangup: closed
  ring: to [+3221112233, {number: +3221112234, present: anonymous}], seconds 20
  menu: prompt choose
    keys
      1
        ring: +3221112235
      2
        hangup: busy
  callers
    1: who withheld, block busy
    2: who BE
      then
        voicemail"""
    )


@pytest.fixture
def before(tmp_path: Path) -> Path:
    folder = good_folder(tmp_path / "before")
    (folder / "numbers" / "main.yaml").write_text(ROUTE)
    return folder


@pytest.fixture
def after(before: Path, tmp_path: Path) -> Path:
    return copied(before, tmp_path / "after")


def copied(folder: Path, place: Path) -> Path:
    for file in folder.rglob("*.*"):
        (place / file.relative_to(folder)).parent.mkdir(parents=True, exist_ok=True)
        (place / file.relative_to(folder)).write_bytes(file.read_bytes())
    return place


def hashes(folder: Path) -> Mapping[str, str]:
    return {str(file.relative_to(folder)): sha256_of(file) for file in folder.rglob("*.*") if file.is_file()}


def told(before: Path, after: Path) -> list[str]:
    return list(shown(difference(before, hashes(before), after, hashes(after))))


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        ("seconds: 20", "seconds: 30", ["route.ring: seconds 20 -> 30"]),
        (", seconds: 20", "", ["route.ring: without seconds 20"]),
        ("announce: closed", "announce: shut", ["route.hours.closed.announce: closed -> shut"]),
        ("09:00-17:00", "09:00-18:00", ["route.hours: open mon-fri 09:00-17:00 -> mon-fri 09:00-18:00"]),
        ("Europe/Brussels", "Europe/Paris", ["timezone: Europe/Brussels -> Europe/Paris"]),
        ("  - announce: welcome\n", "", ["-   announce: welcome"]),
        (
            "        - hangup: closed\n",
            "        - voicemail: {}\n",
            ["-       hangup: closed", "+       voicemail"],
        ),
        ("block: busy", "block: reject", ["route.callers.1: block busy -> reject"]),
        ("owner: acme\n", "owner: acme\nlabel: Main\n", ["+ label: Main"]),
    ],
)
def test_a_changed_number_is_told_by_its_steps(
    old: str, new: str, lines: list[str], before: Path, after: Path
) -> None:
    assert ROUTE.count(old) >= 1
    (after / "numbers" / "main.yaml").write_text(ROUTE.replace(old, new, 1))
    assert told(before, after) == ["changed number +3270012345", *(f"    {line}" for line in lines)]


def test_a_number_in_another_file_is_not_changed(before: Path, after: Path) -> None:
    (after / "numbers" / "main.yaml").rename(after / "numbers" / "other.yaml")
    assert told(before, after) == []


def test_numbers_owners_prompts_lists_and_sub_routes_are_told(before: Path, after: Path) -> None:
    (after / "numbers" / "new.yaml").write_text(NUMBER.replace("+3270012345", "+3270012346"))
    (after / "owners" / "acme.yaml").write_text("name: ACME\nlanguage: fr\n")
    (after / "prompts" / "welcome.wav").unlink()
    for part, name, text in (
        ("callers", "nuisance.txt", "+32470000000\n"),
        ("routes", "evening.yaml", "route: [hangup: busy]\n"),
    ):
        (after / part).mkdir()
        (after / part / name).write_text(text)
    changes = difference(before, hashes(before), after, hashes(after))
    assert counted(changes) == (
        "1 number added, 1 owner changed, 1 sub-route added, 1 prompt removed, 1 list of callers added"
    )
    assert "+32470000000" not in "\n".join(shown(changes)), "a caller's number is not printed"
    assert "    language: nl -> fr" in shown(changes)


def test_of_very_many_changes_only_the_first_are_shown(before: Path, after: Path) -> None:
    for n in range(60):
        (after / "numbers" / f"n{n}.yaml").write_text(NUMBER.replace("+3270012345", f"+32700124{n:02}"))
    changes = difference(before, hashes(before), after, hashes(after))
    assert counted(changes) == "60 numbers added"
    assert list(shown(changes))[-1] == "... and 10 more"
