"""Machine, date and commit of a run, without which its figures have no meaning."""

import os
import platform
import re
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

from devkit.asterisk_tree import Tree

ROOT = Path(__file__).resolve().parents[1]


def described() -> dict[str, str | int | float]:
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": commit(),
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "asterisk": output_of([*Tree.find().command, "-V"]).removeprefix("Asterisk "),
        "load": round(os.getloadavg()[0], 2),
    }


def is_busy() -> bool:
    """Whether other processes use so much of this machine that the figures would depend on them."""
    return os.getloadavg()[0] > 0.5 * len(os.sched_getaffinity(0))


class Others:
    """Measures the share of the processor that other processes use, from its creation on."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._before = self._taken()

    def share(self) -> float:
        """The share of all cores, 0 to 1. Our children count as ours after they have ended."""
        cores = len(os.sched_getaffinity(0))
        return max(self._taken() - self._before, 0) / (time.monotonic() - self._began) / cores

    def _taken(self) -> float:
        """CPU seconds of all processes except ours."""
        first = Path("/proc/stat").read_text().partition("\n")[0].split()[1:]
        user, nice, system, _idle, _waits, irq, softirq, steal, *_guests = map(int, first)
        total = (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
        return total - sum(os.times()[:4])


def commit() -> str:
    """The commit, with a + if files differ from it."""
    changed = output_of(["git", "-C", str(ROOT), "status", "--porcelain", "--untracked-files=no"])
    return output_of(["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]) + ("+" if changed else "")


def processor() -> str:
    match = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return match[1] if match else platform.machine()


def output_of(command: list[str]) -> str:
    """The output of the command; empty if it does not exist or fails."""
    try:
        process = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return process.stdout.strip()
