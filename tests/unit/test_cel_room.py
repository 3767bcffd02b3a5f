"""Headroom of the CEL file: blocks behind its end, which a full disk leaves to Asterisk."""

import errno
import os
import stat
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from engine.ari import cel_room
from engine.ari.cel_room import HEADROOM_BYTES, LEAST_BYTES, CelRoom, create, give_back, headroom


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cel_room, "RETRY_SECONDS", 0.0)


@pytest.fixture
def cel(tmp_path: Path) -> Path:
    tmp_path.chmod(0o700)
    place = tmp_path / "Master.csv"
    place.write_bytes(b"a line\n")
    return place


def rotated(cel: Path, number: int = 1) -> Path:
    return cel.with_name(f"{cel.name}.{number}")


def full(monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk has no block left."""

    def allocate(fd: int, offset: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(cel_room, "_allocate", allocate)


def test_headroom_is_allocated_behind_the_end_and_changes_nothing_before_it(cel: Path) -> None:
    room = CelRoom(cel)
    room.ensure(rotated(cel))
    assert room.bytes == headroom(cel) >= HEADROOM_BYTES - 4096
    assert cel.read_bytes() == b"a line\n"
    with cel.open("ab") as file:
        file.write(b"another\n")
    assert cel.read_bytes() == b"a line\nanother\n"
    assert headroom(cel) == room.bytes - len(b"another\n")
    assert not rotated(cel).exists()


def test_headroom_that_has_been_used_is_allocated_anew(cel: Path) -> None:
    room = CelRoom(cel)
    room.ensure(rotated(cel))
    with cel.open("ab") as file:
        file.write(bytes(HEADROOM_BYTES - LEAST_BYTES + 4096))
    assert headroom(cel) < LEAST_BYTES
    room.ensure(rotated(cel))
    assert room.bytes > LEAST_BYTES


@pytest.mark.parametrize(
    ("owner", "folder", "mode"),
    [("ours", 0o755, 0o640), ("ours", 0o2770, 0o666), ("asterisk's", 0o2770, 0o666)],
)
def test_a_file_that_asterisk_has_made_is_replaced_by_one_of_ours(
    cel: Path, monkeypatch: pytest.MonkeyPatch, owner: str, folder: int, mode: int
) -> None:
    """Another user's: Asterisk can append to ours, too, and nobody else gets into the folder."""

    def refused(place: Path) -> None:
        raise PermissionError

    monkeypatch.setattr(cel_room, "extend", refused)
    cel.parent.chmod(folder)
    if owner == "asterisk's":
        monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    room = CelRoom(cel)
    room.ensure(rotated(cel))
    assert rotated(cel).read_bytes() == b"a line\n"
    assert (cel.read_bytes(), stat.S_IMODE(cel.stat().st_mode)) == (b"", mode)
    assert room.bytes == headroom(cel) >= LEAST_BYTES


@pytest.mark.parametrize(("owner", "folder"), [("asterisk's", 0o755), ("ours", 0o775)])
def test_no_file_of_ours_is_put_where_everybody_could_write_it_or_asterisk_could_not(
    cel: Path, monkeypatch: pytest.MonkeyPatch, owner: str, folder: int
) -> None:
    def refused(place: Path) -> None:
        raise PermissionError

    monkeypatch.setattr(cel_room, "extend", refused)
    if owner == "asterisk's":
        monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    cel.parent.chmod(folder)
    room = CelRoom(cel)
    with capture_logs() as told:
        room.ensure(rotated(cel))
        room.ensure(rotated(cel))
    assert [line["event"] for line in told] == ["cel_headroom_missing"], "logged once"
    assert "chmod 2770" in told[0]["error"]
    assert os.listdir(cel.parent) == ["Master.csv"]
    assert cel.read_bytes() == b"a line\n"


def test_a_large_file_stays_where_it_is_as_long_as_the_disk_is_full(cel: Path) -> None:
    room = CelRoom(cel)
    with pytest.MonkeyPatch.context() as disk, capture_logs() as told:
        full(disk)
        room.rotate(rotated(cel))
        room.ensure(rotated(cel))
        assert os.listdir(cel.parent) == ["Master.csv"]
    with capture_logs() as told_later:
        room.rotate(rotated(cel))
        room.ensure(rotated(cel, 2))
    assert rotated(cel).read_bytes() == b"a line\n"
    assert (cel.read_bytes(), room.bytes >= LEAST_BYTES) == (b"", True)
    events = [line["event"] for line in [*told, *told_later]]
    assert events == ["cel_headroom_missing", "cel_headroom_allocated"]


def test_where_no_file_can_be_exchanged_it_is_renamed(cel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As before there was headroom: Asterisk makes the next file itself."""
    monkeypatch.setattr(cel_room, "EXCHANGE", 1 << 20)  # a flag that no kernel knows
    CelRoom(cel).rotate(rotated(cel))
    assert os.listdir(cel.parent) == ["Master.csv.1"]


def test_a_rotated_file_gives_its_headroom_back(cel: Path) -> None:
    CelRoom(cel).ensure(rotated(cel))
    before = cel.stat().st_mtime_ns
    give_back(cel)
    assert headroom(cel) < 4096
    assert cel.read_bytes() == b"a line\n"
    assert cel.stat().st_mtime_ns == before, "the reader sees that nothing has changed"


def test_the_first_file_is_made_with_headroom_unless_asterisk_was_first(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    cel = tmp_path / "Master.csv"
    room = CelRoom(cel)
    room.ensure(rotated(cel))
    assert (os.listdir(tmp_path), room.bytes >= LEAST_BYTES) == (["Master.csv"], True)
    cel.write_bytes(b"a line\n")
    create(cel)
    assert (os.listdir(tmp_path), cel.read_bytes()) == (["Master.csv"], b"a line\n")


def test_without_a_folder_there_is_no_headroom_and_no_complaint(tmp_path: Path) -> None:
    room = CelRoom(tmp_path / "gone" / "Master.csv")
    with capture_logs() as told:
        room.ensure(tmp_path / "gone" / "Master.csv.1")
    assert (room.bytes, told) == (0, [])
