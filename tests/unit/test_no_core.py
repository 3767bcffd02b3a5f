"""No core file of a process that holds keys and plain sounds: neither by its unit nor by itself."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UNITS = sorted(ROOT.glob("systemd/*.service"))
DUMPED = """
import os, resource, signal
from process.no_core import forbid_core_dumps
most = resource.getrlimit(resource.RLIMIT_CORE)[1]
resource.setrlimit(resource.RLIMIT_CORE, (most, most))
forbid_core_dumps()
signal.signal(signal.SIGQUIT, signal.SIG_DFL)  # a shell's background job ignores it
os.kill(os.getpid(), signal.SIGQUIT)
"""
LOOKED_AT = """
import os
from process.metrics import Metrics
from process.no_core import forbid_core_dumps
from process.operators import operator
forbid_core_dumps()
print(b"process_open_fds" in Metrics().render(), len(os.listdir("/proc/self/fd")) > 2)
print(bool(operator()))
"""
COMMAND = """
import ctypes, resource, sys
import config.settings
def load_settings(path=None):
    print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))  # PR_GET_DUMPABLE
    sys.exit()
config.settings.load_settings = load_settings
from cli.__main__ import main
main(sys.argv[1:])
"""


def told(program: str, *words: str, folder: Path = ROOT) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
    return subprocess.run(
        [sys.executable, "-c", program, *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.skipif(
    Path("/proc/sys/kernel/core_pattern").read_text().startswith(("|", "/")),
    reason="this kernel leaves no core in the working directory",
)
def test_ended_by_a_signal_that_dumps_core_it_leaves_none(tmp_path: Path) -> None:
    assert told(DUMPED, folder=tmp_path).returncode == -signal.SIGQUIT
    assert list(tmp_path.iterdir()) == []


def test_its_metrics_and_who_has_logged_in_can_still_be_read() -> None:
    shown = told(LOOKED_AT)
    assert shown.stdout == "True True\nTrue\n", shown.stderr


@pytest.mark.parametrize(
    "words", [("run",), ("work",), ("portal",), ("audit",), ("recordings", "list")], ids=" ".join
)
def test_a_command_forbids_it_before_it_reads_a_secret(words: tuple[str, ...]) -> None:
    shown = told(COMMAND, *words)
    assert shown.stdout == "(0, 0) 0\n", shown.stderr


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_forbids_it_too(unit: Path) -> None:
    assert re.search(r"^LimitCORE=0$", unit.read_text("utf-8"), re.MULTILINE)
