"""Routing versions on disk: whole or absent, never used when damaged, removed when nobody needs them."""

import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from config.copies import FolderChangedError, content_digest
from config.load import load
from config.policy import Policy
from config.versions import (
    Period,
    Version,
    VersionError,
    Versions,
    Why,
)
from tests.unit.folders import NUMBER, good_folder, write_prompt

NOON = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return good_folder(tmp_path / "routing")


@pytest.fixture
def versions(tmp_path: Path) -> Versions:
    return Versions(tmp_path / "state" / "routing-versions")


def kept(versions: Versions, folder: Path, at: datetime = NOON) -> str:
    """The digest of the folder, which is kept and comes into force."""
    routing = load(folder, Policy())
    versions.store(folder, routing.digest)
    versions.enter(routing.digest, {prompt.sha256 for prompt in routing.own_prompts}, at)
    return routing.digest


def change(folder: Path, label: str) -> None:
    (folder / "numbers" / "main.yaml").write_text(NUMBER.replace("owner:", f"label: {label}\nowner:", 1))


def test_a_kept_version_is_the_folder_under_its_digest(folder: Path, versions: Versions) -> None:
    digest = kept(versions, folder)
    assert content_digest(versions.root / digest) == digest
    assert os.readlink(versions.in_force) == digest
    assert versions.read(digest, Policy()).numbers.keys() == {"3270012345"}


def test_a_prompt_is_part_of_the_version_by_its_content(folder: Path, versions: Versions) -> None:
    before = kept(versions, folder)
    write_prompt(folder / "prompts" / "welcome.wav", seconds=0.2)
    after = kept(versions, folder, NOON + DAY)
    seconds = [versions.read(digest).prompts["welcome"].seconds for digest in (before, after)]
    assert seconds == [0.1, 0.2]


def test_a_file_that_did_not_change_is_kept_once(folder: Path, versions: Versions) -> None:
    before = kept(versions, folder)
    change(folder, "Other")
    after = kept(versions, folder)
    prompts = [(versions.root / digest / "prompts/welcome.wav").stat() for digest in (before, after)]
    assert prompts[0].st_ino == prompts[1].st_ino
    numbers = [(versions.root / digest / "numbers/main.yaml").stat() for digest in (before, after)]
    assert [number.st_nlink for number in numbers] == [1, 1]
    assert not (folder / "prompts/welcome.wav").samefile(versions.root / after / "prompts/welcome.wav")


def test_a_version_with_a_truncated_file_is_not_used(folder: Path, versions: Versions) -> None:
    digest = kept(versions, folder)
    number = versions.root / digest / "numbers" / "main.yaml"
    number.chmod(0o600)
    os.truncate(number, number.stat().st_size - 20)  # a route of one step: still a right file
    with pytest.raises(VersionError) as wrong:
        versions.read(digest)
    assert (wrong.value.why, wrong.value.digest) == (Why.DAMAGED, digest)


@pytest.mark.parametrize("damage", ["removed", "added", "unreadable"])
def test_a_version_with_a_file_more_or_less_is_not_used(
    folder: Path, versions: Versions, damage: str
) -> None:
    digest = kept(versions, folder)
    place = versions.root / digest
    match damage:
        case "removed":
            (place / "prompts" / "welcome.wav").unlink()
        case "added":
            (place / "owners" / "other.yaml").write_text("name: Other\n")
        case "unreadable":
            (place / "owners" / "notes.txt").write_text("not a routing file")
    with pytest.raises(VersionError) as wrong:
        versions.read(digest)
    assert wrong.value.why is Why.DAMAGED


def test_a_damaged_version_is_made_anew_when_its_folder_comes_into_force_again(
    folder: Path, versions: Versions
) -> None:
    digest = kept(versions, folder)
    (versions.root / digest / "owners" / "acme.yaml").unlink()
    assert kept(versions, folder) == digest
    assert versions.read(digest).owners.keys() == {"acme"}


@pytest.mark.parametrize("digest", ["0" * 64, "", "../routing", "in-force"])
def test_a_version_that_is_not_kept_is_gone(folder: Path, versions: Versions, digest: str) -> None:
    kept(versions, folder)
    with pytest.raises(VersionError) as wrong:
        versions.read(digest)
    assert wrong.value.why is Why.GONE


def test_an_accepted_version_is_not_judged_by_the_settings_of_today(folder: Path, versions: Versions) -> None:
    digest = kept(versions, folder)
    nowhere = Policy(frozenset({"NL"}))
    assert versions.read(digest).digest == digest
    with pytest.raises(VersionError) as wrong:
        versions.read(digest, nowhere)
    assert wrong.value.why is Why.UNREADABLE
    assert "is in BE" in wrong.value.detail


def test_a_folder_that_changed_since_it_was_read_is_not_kept(folder: Path, versions: Versions) -> None:
    digest = load(folder, Policy()).digest
    change(folder, "Other")
    with pytest.raises(FolderChangedError):
        versions.store(folder, digest)
    assert list(versions.root.iterdir()) == []


def test_when_a_version_was_in_force_is_noted_again_and_again(folder: Path, versions: Versions) -> None:
    first = kept(versions, folder)
    change(folder, "Other")
    second = kept(versions, folder, NOON + DAY)
    shutil.rmtree(folder)
    good_folder(folder)
    kept(versions, folder, NOON + 2 * DAY)
    assert {version.digest: version.periods for version in versions.all()} == {
        first: (Period(NOON, NOON + DAY), Period(NOON + 2 * DAY)),
        second: (Period(NOON + DAY, NOON + 2 * DAY),),
    }
    assert [version.digest for version in versions.all()] == [first, second]


def test_a_restart_begins_no_new_period(folder: Path, versions: Versions) -> None:
    kept(versions, folder)
    kept(versions, folder, NOON + DAY)
    assert [version.periods for version in versions.all()] == [(Period(NOON),)]


def test_old_versions_are_forgotten_by_when_they_were_last_in_force(folder: Path, versions: Versions) -> None:
    digests = []
    for day in range(4):
        change(folder, f"Day {day}")
        digests.append(kept(versions, folder, NOON + day * DAY))
    removed = versions.forget({digests[0]}, before=NOON + 2 * DAY + timedelta(hours=1))
    assert [version.digest for version in removed] == [digests[1]]
    left = {entry.name.partition(".")[0] for entry in versions.root.iterdir()}
    assert left == {"in-force", digests[0], digests[2], digests[3]}
    assert versions.read(digests[2]).digest == digests[2]  # its files were those of the removed one too


def test_the_version_in_force_is_never_forgotten(folder: Path, versions: Versions) -> None:
    digest = kept(versions, folder)
    assert versions.forget((), before=NOON + 1000 * DAY) == []
    assert versions.read(digest).digest == digest


@pytest.mark.parametrize("note", [None, "", "{", '{"in_force": [], "prompts": []}', "[]", '{"in_force": 1}'])
def test_a_version_whose_note_is_lost_is_told_by_its_files(
    folder: Path, versions: Versions, note: str | None
) -> None:
    digest = kept(versions, folder)
    file = versions.root / f"{digest}.json"
    file.unlink() if note is None else file.write_text(note)
    (version,) = versions.all()
    assert version.prompts == {load(folder, Policy()).prompts["welcome"].sha256}
    made = datetime.fromtimestamp((versions.root / digest).stat().st_mtime, UTC)
    assert version.last_in_force == made


def test_what_a_killed_engine_left_is_removed(folder: Path, versions: Versions) -> None:
    digest = kept(versions, folder)
    for left in (".draft-abc", ".gone-abc"):
        shutil.copytree(folder, versions.root / left)
    (versions.root / ".draft-abc.json").write_text("{")
    (versions.root / ".draft-in-force").symlink_to(digest)
    versions.tidy()
    assert {entry.name for entry in versions.root.iterdir()} == {
        "in-force",
        digest,
        f"{digest}.json",
        f"{digest}.files",
    }


def test_before_the_first_version_there_is_none(versions: Versions) -> None:
    versions.tidy()
    assert versions.all() == []
    assert not versions.in_force.exists()


def test_a_version_says_when_it_was_last_in_force() -> None:
    periods = (Period(NOON, NOON + DAY), Period(NOON + 3 * DAY))
    version = Version("0" * 64, periods, frozenset())
    assert (version.entered, version.last_in_force) == (NOON + 3 * DAY, NOON + 3 * DAY)
    assert version.may_be_in_force
