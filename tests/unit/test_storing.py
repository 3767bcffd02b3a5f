"""A version that is begun while its folder is read: whole or absent, whatever is killed meanwhile."""

import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from config.copies import FolderChangedError, content_digest
from config.load import load_with_hashes
from config.policy import Policy
from config.storing import Storing
from config.version_files import new_draft, store_draft
from config.versions import Versions
from tests.unit.folders import NUMBER, OWNER, good_folder

NOON = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
SECONDS = 20.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With a second owner, and a number in a folder of its own."""
    folder = good_folder(tmp_path / "routing")
    (folder / "owners" / "other.yaml").write_text(OWNER)
    (folder / "numbers" / "customers").mkdir()
    second = NUMBER.replace("+3270012345", "+3270012346")
    (folder / "numbers" / "customers" / "second.yaml").write_text(second)
    return folder


@pytest.fixture
def versions(tmp_path: Path, folder: Path) -> Versions:
    """The folder is the version in force."""
    versions = Versions(tmp_path / "state" / "routing-versions")
    digest, known = read(folder)
    versions.store(folder, digest, known)
    versions.enter(digest, (), NOON)
    return versions


def read(folder: Path) -> tuple[str, dict[str, str]]:
    routing, known = load_with_hashes(folder, Policy())
    return routing.digest, dict(known)


def change(folder: Path) -> None:
    (folder / "numbers" / "main.yaml").write_text(NUMBER.replace("owner:", "label: Other\nowner:", 1))


def remove(folder: Path) -> None:
    (folder / "owners" / "other.yaml").unlink()
    shutil.rmtree(folder / "numbers" / "customers")


def move(folder: Path) -> None:
    (folder / "numbers" / "new").mkdir()
    (folder / "numbers" / "main.yaml").rename(folder / "numbers" / "new" / "main.yaml")


def nothing(folder: Path) -> None:
    """The version in force comes again."""


def names(versions: Versions) -> set[str]:
    return {path.name for path in versions.root.iterdir()}


@pytest.mark.parametrize("edit", [change, remove, move, nothing])
def test_the_version_is_the_folder_whatever_the_one_before_had(
    folder: Path, versions: Versions, edit: object
) -> None:
    assert callable(edit)
    before = versions.in_force_digest()
    edit(folder)
    digest, known = read(folder)
    with Storing() as storing:
        storing.begin(versions.root)
        storing.finish(folder, digest, known)
    stored = versions.root / digest
    assert content_digest(stored) == digest
    assert {path.name for path in stored.rglob("*") if path.is_dir()} == {
        path.name for path in folder.rglob("*") if path.is_dir()
    }
    assert stored.joinpath("prompts/welcome.wav").samefile(versions.root / before / "prompts/welcome.wav")
    assert content_digest(versions.root / before) == before
    assert {name: it.sha256 for name, it in versions.manifest(digest).items()} == known


def test_the_first_version_is_copied(folder: Path, tmp_path: Path) -> None:
    versions = Versions(tmp_path / "new" / "routing-versions")
    digest, known = read(folder)
    with Storing() as storing:
        storing.begin(versions.root)
        storing.finish(folder, digest, known)
    assert content_digest(versions.root / digest) == digest


def test_of_a_folder_that_is_refused_nothing_is_left(versions: Versions) -> None:
    before = names(versions)
    with Storing() as storing:
        storing.begin(versions.root)
    assert names(versions) == before


def test_of_a_folder_that_was_changed_meanwhile_nothing_is_left(folder: Path, versions: Versions) -> None:
    before = names(versions)
    change(folder)
    digest, known = read(folder)
    (folder / "numbers" / "main.yaml").write_text(NUMBER.replace("owner:", "label: Third\nowner:", 1))
    with Storing() as storing:
        storing.begin(versions.root)
        with pytest.raises(FolderChangedError):
            storing.finish(folder, digest, known)
    assert names(versions) == before


def test_versions_that_cannot_be_written_are_an_error(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    digest, known = read(folder)
    with Storing() as storing:
        storing.begin(tmp_path / "file" / "routing-versions")
        with pytest.raises(NotADirectoryError):
            storing.finish(folder, digest, known)


def test_a_process_that_is_killed_is_an_error(folder: Path, versions: Versions) -> None:
    digest, known = read(folder)
    with Storing() as storing:
        storing.begin(versions.root)
        storing._process.kill()
        with pytest.raises(OSError, match="the process that stores it ended with -9"):
            storing.finish(folder, digest, known)


KILLED = """
import os, signal, sys
from pathlib import Path
from config.storing import Storing
storing = Storing()
storing.begin(Path(sys.argv[1]))
if sys.argv[2] == "half asked":
    storing._process.stdin.write(b"\\x80\\x05")
    storing._process.stdin.flush()
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("when", ["begun", "half asked"])
def test_of_an_apply_that_is_killed_nothing_is_left(versions: Versions, when: str) -> None:
    before = names(versions)
    command = (sys.executable, "-P", "-c", KILLED, str(versions.root), when)
    # The process that stores has the same standard error: its end is the end of both.
    killed = subprocess.run(command, stderr=subprocess.PIPE, check=False, timeout=SECONDS)
    assert (killed.returncode, killed.stderr) == (-signal.SIGKILL, b"")
    assert names(versions) == before


def test_a_draft_that_an_engine_removed_at_its_start_does_not_become_a_version(
    folder: Path, versions: Versions
) -> None:
    change(folder)
    digest, known = read(folder)
    draft = new_draft(versions.root, "early")
    draft.link_all()
    versions.tidy()
    with pytest.raises(FolderChangedError):
        store_draft(versions.root, draft, folder, digest, known)
    assert not versions.holds(digest)


def test_a_link_in_the_version_before_is_not_followed(folder: Path, versions: Versions) -> None:
    stored = versions.root / versions.in_force_digest() / "owners" / "acme.yaml"
    elsewhere = versions.root.parent / "elsewhere"
    elsewhere.write_bytes(stored.read_bytes())
    stat = stored.stat()
    os.utime(elsewhere, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    stored.unlink()
    stored.symlink_to(elsewhere)
    change(folder)
    digest, known = read(folder)
    versions.store(folder, digest, known)
    copied = versions.root / digest / "owners" / "acme.yaml"
    assert not copied.is_symlink()
    assert not copied.samefile(elsewhere)
    assert content_digest(versions.root / digest) == digest


def test_an_apply_does_not_wait_for_the_start_of_the_process(versions: Versions) -> None:
    began = time.process_time()
    with Storing() as storing:
        assert time.process_time() - began < 0.05
        storing.begin(versions.root)
