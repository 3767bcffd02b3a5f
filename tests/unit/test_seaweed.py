"""What SeaweedFS leaves behind, and what another user's leftovers do to a run."""

from contextlib import ExitStack, nullcontext
from pathlib import Path

import pytest

from devkit import seaweed
from devkit.seaweed import free_ports, tidy

PORTS = range(20481, 20491)


@pytest.fixture(autouse=True)
def sockets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(seaweed, "SOCKETS", tmp_path)
    return tmp_path


def socket_of(folder: Path, port: int) -> Path:
    return folder / f"seaweedfs-master-grpc-{port}.sock"


def test_what_a_killed_one_has_left_is_removed_and_others_are_let_be(sockets: Path) -> None:
    for port in (PORTS[5], PORTS[-1] + 1):
        socket_of(sockets, port).touch()
    assert tidy(PORTS)
    assert [file.name for file in sockets.iterdir()] == [socket_of(sockets, PORTS[-1] + 1).name]


def test_ports_of_which_another_users_socket_is_left_are_not_taken(
    sockets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offered = iter([PORTS, range(30721, 30731)])
    monkeypatch.setattr(seaweed, "reserve_ports", lambda _count: nullcontext(next(offered)))
    socket_of(sockets, PORTS[5]).mkdir()  # what cannot be unlinked, by root neither
    with ExitStack() as held:
        assert free_ports(held) == range(30721, 30731)
