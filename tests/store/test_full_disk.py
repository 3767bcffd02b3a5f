"""A disk that is full, and stays full: records and CEL of 1,000 calls are whole all the same."""

import json
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

SIZE = "64m"
PROGRAM = (sys.executable, "-m", "tests.store.full_disk")


@cache
def own_mounts() -> tuple[str, ...]:
    """What gives a program mounts of its own: as root, or as an ordinary user; () where nobody may."""
    for command in (("unshare", "-m"), ("unshare", "-rm")):
        tried = [*command, "sh", "-c", "mount -t tmpfs tmpfs /mnt"]
        if shutil.which("unshare") and not subprocess.run(tried, capture_output=True, check=False).returncode:
            return command
    return ()


def calls_through_a_full_disk(folder: Path, *, injected: bool) -> dict[str, object]:
    """What tests.store.full_disk tells."""
    command = [*PROGRAM, str(folder), "injected"]
    if not injected:
        mount = f'mount -t tmpfs -o size={SIZE},mode=700 tmpfs "$0" && exec "$@"'
        command = [*own_mounts(), "sh", "-c", mount, str(folder), *PROGRAM, str(folder)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=110)
    told = json.loads(done.stdout.splitlines()[-1])
    assert isinstance(told, dict)
    return told


@pytest.mark.parametrize("disk", ["mounted", "injected"])
def test_records_and_cel_of_a_thousand_calls_get_through_a_full_disk(tmp_path: Path, disk: str) -> None:
    """Mounted: a real one, which another log fills. Where none may be mounted, both are the injected one."""
    injected = disk == "injected" or not own_mounts()
    told = calls_through_a_full_disk(tmp_path, injected=injected)
    assert told["free"] == 0
    assert told["degraded"] is False
    assert (told["calls_missing"], told["cel_lost"], told["cel_missing"]) == (0, 0, 0)
    assert told["degraded_at_start"] is False, "a restart goes on in what was allocated"
    assert told["refilled"] is True
