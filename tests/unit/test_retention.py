"""Which retentions the worker acts on: those of the version in force, and only if it is whole."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from config.load import load
from config.policy import Policy
from config.versions import Versions
from storage import retentions
from storage.retentions import Retention
from tests.unit.folders import good_folder
from worker.owners_in_force import OwnersInForce

NOON = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
OWNER = "name: ACME\nlanguage: nl\nkeep_recordings: {}\nkeep_records: 400 days\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return good_folder(tmp_path / "routing")


@pytest.fixture
def versions(tmp_path: Path) -> Versions:
    return Versions(tmp_path / "routing-versions")


def accept(versions: Versions, folder: Path, keep: str) -> None:
    (folder / "owners" / "acme.yaml").write_text(OWNER.format(keep))
    digest = load(folder, Policy()).digest
    versions.store(folder, digest)
    versions.enter(digest, (), NOON)


def changed(owners: OwnersInForce) -> dict[str, Retention] | None:
    """What the worker stores; None: nothing new."""
    found = owners.changed({})
    return None if found is None else retentions.of(found)


def test_each_version_is_read_once_and_a_way_back_is_a_change_too(folder: Path, versions: Versions) -> None:
    owners = OwnersInForce(versions.in_force)
    assert changed(owners) is None
    for keep, days in (("30 days", 30), ("10 days", 10), ("30 days", 30)):
        accept(versions, folder, keep)
        assert changed(owners) == {"acme": Retention(timedelta(days=days), timedelta(days=400))}
        assert changed(owners) is None


def test_a_damaged_version_shortens_no_retention(folder: Path, versions: Versions) -> None:
    accept(versions, folder, "365 days")
    owner = versions.in_force / "owners" / "acme.yaml"
    owner.chmod(0o600)
    owner.write_text(OWNER.partition("keep")[0])  # still an owner, whose recordings live for 30 days
    owners = OwnersInForce(versions.in_force)
    with capture_logs() as logs:
        assert changed(owners) is None
        assert changed(owners) is None
    assert [entry["event"] for entry in logs] == ["routing_version_unusable"]
